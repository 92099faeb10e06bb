"""CodeFormer at a fidelity weight."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from src.networks import CodeFormer, Restoration
from src.restorers.knobs import Knobs, checked_fidelity
from src.restorers.precision import EXACT, Precision


class CodeFormerRestorer:
    """Predicted codes, decoded with encoder features weighted by `fidelity` (`Restorer`; codeformer.md 1.2).

    `fidelity` (the paper's w) is in [0, 1]: 0 trusts the codebook alone, 1 uses the input fully. `adain` matches mean
    and deviation of the looked-up codes to the encoder output.

    Raises:
        UserError: the fidelity is not in [0, 1].
    """

    name = "codeformer"
    network_evaluations = 1

    def __init__(self, network: CodeFormer, *, fidelity: float, adain: bool, precision: Precision = EXACT) -> None:
        self._network = precision.prepared(network)
        self._precision = precision
        self._fidelity = checked_fidelity(fidelity)
        self._adain = adain
        self.image_size: int | None = network.size.image_size

    @property
    def knobs(self) -> Knobs:
        """Fidelity weight and code statistics."""
        return {"fidelity": self._fidelity, "adain": self._adain}

    @property
    def parameters(self) -> int:
        """Parameters of the network; at fidelity 0 its feature transformations rest."""
        return sum(parameter.numel() for parameter in self._network.parameters())

    @torch.inference_mode()
    def restore(self, lq: Float[Tensor, "b 3 h w"], keys: Sequence[int] = ()) -> Float[Tensor, "b 3 h w"]:
        """The restored faces, clamped to [-1, 1]."""
        restoration: Restoration = self._network(self._precision.input(lq), fidelity=self._fidelity, adain=self._adain)
        return restoration.image.float().clamp(-1, 1)


class ColorizationRestorer(CodeFormerRestorer):
    """CodeFormer trained to colour grey faces; the published script takes fidelity 0 with adain (codeformer.md 4)."""

    name = "codeformer_colorization"


class InpaintingRestorer(CodeFormerRestorer):
    """CodeFormer trained to fill white strokes; every other pixel stays as it is (codeformer.md 4).

    The published script takes fidelity 1 without adain.
    """

    name = "codeformer_inpainting"

    @torch.inference_mode()
    def restore(self, lq: Float[Tensor, "b 3 h w"], keys: Sequence[int] = ()) -> Float[Tensor, "b 3 h w"]:
        """The input with its purely white pixels filled."""
        missing: Bool[Tensor, "b 1 h w"] = (lq == 1).all(dim=1, keepdim=True)
        return torch.where(missing, super().restore(lq, keys), lq)
