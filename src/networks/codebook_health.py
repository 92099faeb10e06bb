"""How much of a codebook is in use, over a sliding window of batches, and the revival of unused entries."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from src.networks.vector_quantizer import VectorQuantizer

PERPLEXITY_EPS = 1e-10


def histogram(codes: Int[Tensor, "*shape"], codebook_size: int) -> Int[Tensor, "k"]:
    """How often each of `codebook_size` codes occurs."""
    found = codes.flatten().long()
    # torch.bincount would make the host wait for the largest code.
    return torch.zeros(codebook_size, dtype=torch.int64, device=found.device).index_add_(
        0, found, torch.ones_like(found)
    )


def perplexity(counts: Int[Tensor, "k"]) -> Float[Tensor, ""]:
    """exp(-sum_k p_k log(p_k + 1e-10)) of counted codes (codeformer.md 1.1), in [1, K]: 1 for a single code in use."""
    shares = counts.double() / counts.sum().clamp(min=1)
    return torch.exp(-(shares * torch.log(shares + PERPLEXITY_EPS)).sum()).float()


class CodebookHealth(nn.Module):
    """Histograms of the last `window` batches; buffers, so that a resumed run continues the window."""

    histograms: Tensor
    updates: Tensor

    def __init__(self, codebook_size: int, window: int) -> None:
        super().__init__()
        if window < 1:
            raise ValueError(f"window {window} must be at least 1 batch")
        self.register_buffer("histograms", torch.zeros(window, codebook_size, dtype=torch.int64))
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def update(self, counts: Int[Tensor, "k"]) -> None:
        """Add one batch's histogram in place of the oldest; under DDP pass the sum over ranks.

        Raises ValueError if it does not hold one count for each code.
        """
        window, codebook_size = self.histograms.shape
        if counts.shape != (codebook_size,):
            raise ValueError(f"expected a histogram of {codebook_size} counts, got shape {tuple(counts.shape)}")
        slot = (self.updates % window).view(1)
        self.histograms.index_copy_(0, slot, counts.to(self.histograms).view(1, -1))
        self.updates += 1

    def counts(self) -> Int[Tensor, "k"]:
        """Uses of each code in the window."""
        return self.histograms.sum(0)

    def usage(self) -> Float[Tensor, ""]:
        """Share of the codes that the window uses, in [0, 1]."""
        return (self.counts() > 0).float().mean()

    def perplexity(self) -> Float[Tensor, ""]:
        """Perplexity of the window's codes, in [1, K]."""
        return perplexity(self.counts())

    def dead(self) -> Bool[Tensor, "k"]:
        """Codes without a use in a whole window; none while the window is not yet filled."""
        return (self.counts() == 0) & (self.updates >= self.histograms.shape[0])

    @torch.no_grad()
    def reset(self) -> None:
        """Empty the window, as after a restart of codes: a revived code needs a whole window before it can be dead."""
        self.histograms.zero_()
        self.updates.zero_()


@torch.no_grad()
def restart_dead_codes(
    quantizer: VectorQuantizer,
    dead: Bool[Tensor, "k"],
    latent: Float[Tensor, "b d h w"],
    generator: torch.Generator,
) -> int:
    """Replace dead codebook entries in place by randomly chosen encoder output vectors; return how many.

    Each position of the batch is taken at most once unless more entries are dead. `generator` is a CPU generator, so
    that a seed means the same choice on every device. Under DDP `latent` must be the same on all ranks.
    """
    indices = dead.nonzero().flatten()
    points = latent.permute(0, 2, 3, 1).flatten(0, 2)
    order = torch.randperm(len(points), generator=generator)
    chosen = order[torch.arange(len(indices)) % len(points)].to(points.device)
    weight = quantizer.embedding.weight
    weight[indices] = points[chosen].to(weight)
    return len(indices)
