"""The baseline that averages noise and blocks away."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from src.restorers.knobs import Knobs
from src.settings.errors import UserError


@dataclass(frozen=True)
class BicubicRestorer:
    """Bicubic reduction by `factor` (antialiased) and bicubic enlargement to the input's size (`Restorer`).

    Degraded faces have full size here, so this is a low-pass filter: the strongest denoising and deblocking without any
    knowledge of faces, and, of the down-sampled part, the usual bicubic baseline of super-resolution.

    Raises:
        UserError: the factor is below 1.
    """

    factor: int = 2
    name: str = "bicubic"
    image_size: int | None = None
    parameters: int = 0
    network_evaluations: int = 0

    def __post_init__(self) -> None:
        if self.factor < 1:
            raise UserError(f"factor: {self.factor} must be 1 or more")

    @property
    def knobs(self) -> Knobs:
        """The reduction."""
        return {"factor": self.factor}

    def restore(self, lq: Float[Tensor, "b 3 h w"], keys: Sequence[int] = ()) -> Float[Tensor, "b 3 h w"]:
        """The low-pass filtered input, clamped to [-1, 1]."""
        height, width = lq.shape[-2:]
        small = (max(1, height // self.factor), max(1, width // self.factor))
        reduced = interpolate(lq, size=small, mode="bicubic", align_corners=False, antialias=True)
        return interpolate(reduced, size=(height, width), mode="bicubic", align_corners=False).clamp(-1, 1)
