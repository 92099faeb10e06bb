"""CodeFormer at a fidelity weight."""

import torch
from jaxtyping import Float
from torch import Tensor

from src.networks import CodeFormer, Restoration
from src.restorers.knobs import checked_fidelity


class CodeFormerRestorer:
    """Predicted codes, decoded with encoder features weighted by `fidelity` (`Restorer`; codeformer.md 1.2).

    `fidelity` (the paper's w) is in [0, 1]: 0 trusts the codebook alone, 1 uses the input fully. `adain` matches mean
    and deviation of the looked-up codes to the encoder output.

    Raises:
        UserError: the fidelity is not in [0, 1].
    """

    name = "codeformer"
    network_evaluations = 1

    def __init__(self, network: CodeFormer, *, fidelity: float, adain: bool) -> None:
        self._network = network.eval()
        self._fidelity = checked_fidelity(fidelity)
        self._adain = adain
        self.image_size: int | None = network.size.image_size

    @property
    def knobs(self) -> dict[str, float | int | bool]:
        """Fidelity weight and code statistics."""
        return {"fidelity": self._fidelity, "adain": self._adain}

    @property
    def parameters(self) -> int:
        """Parameters of the network; at fidelity 0 its feature transformations rest."""
        return sum(parameter.numel() for parameter in self._network.parameters())

    @torch.no_grad()
    def restore(self, lq: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """The restored faces, clamped to [-1, 1]."""
        restoration: Restoration = self._network(lq, fidelity=self._fidelity, adain=self._adain)
        return restoration.image.clamp(-1, 1)
