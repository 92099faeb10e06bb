"""Nearest-neighbour vector quantiser with a straight-through gradient."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn


class Quantized(NamedTuple):
    """What the quantiser computes from a latent."""

    latent: Float[Tensor, "b d h w"]
    """Codebook entries with the gradient passed straight through to the input."""
    codes: Int[Tensor, "b h w"]
    """Indices of the nearest entries."""
    codebook_loss: Float[Tensor, ""]
    """Mean over all elements, fp32."""


class VectorQuantizer(nn.Module):
    """Codebook of `codebook_size` entries, drawn from uniform(-1/K, 1/K) (codeformer.md 1.1)."""

    def __init__(self, codebook_size: int, code_dim: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(codebook_size, code_dim)
        nn.init.uniform_(self.embedding.weight, -1.0 / codebook_size, 1.0 / codebook_size)

    @property
    def codebook_size(self) -> int:
        """Number of entries K."""
        return self.embedding.num_embeddings

    def distances(self, latent: Float[Tensor, "b d h w"]) -> Float[Tensor, "n k"]:
        """Squared distances of every position (row-major over b, h, w) to every entry, fp32 also under autocast."""
        with torch.autocast(latent.device.type, enabled=False):
            points = latent.permute(0, 2, 3, 1).flatten(0, 2).float()
            entries = self.embedding.weight.float()
            norms = points.square().sum(1, keepdim=True) + entries.square().sum(1)
            return torch.addmm(norms, points, entries.t(), alpha=-2.0)

    @torch.no_grad()
    def nearest(self, latent: Float[Tensor, "b d h w"]) -> Int[Tensor, "b h w"]:
        """Indices of the nearest entries; the first of equal ones."""
        batch, _, height, width = latent.shape
        return self.distances(latent).argmin(1).view(batch, height, width)

    def lookup(self, codes: Int[Tensor, "b h w"]) -> Float[Tensor, "b d h w"]:
        """Codebook entries of the indices, channels first."""
        return F.embedding(codes, self.embedding.weight).permute(0, 3, 1, 2)

    def forward(self, latent: Float[Tensor, "b d h w"], beta: float = 0.25) -> Quantized:
        """Quantise.

        loss = mean((sg[z_q] - z)^2) + beta mean((z_q - sg[z])^2): the published order, in which `beta` weighs the
        term that moves the codebook and the commitment term has weight 1 (codeformer.md 1.1).
        """
        codes = self.nearest(latent)
        entries = self.lookup(codes)
        with torch.autocast(latent.device.type, enabled=False):
            commitment = F.mse_loss(latent.float(), entries.detach().float())
            movement = F.mse_loss(entries.float(), latent.detach().float())
        straight_through = latent + (entries - latent).detach()
        return Quantized(straight_through, codes, commitment + beta * movement)
