"""A batch of square images of different sides on one tensor, so that a step is a few operators for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64, Shaped, UInt8
from torch import Tensor


@dataclass(frozen=True)
class Canvas:
    """Sample i is the top left `sides[i]` x `sides[i]` part of its plane; what lies outside is finite and never read."""

    levels: Float32[Tensor, "b 3 m m"]
    """RGB, 0..255, on any device; whole numbers or not."""
    sides: tuple[int, ...]

    @property
    def device(self) -> torch.device:
        """Where the levels are."""
        return self.levels.device

    def chosen(self, picks: Sequence[int]) -> Float32[Tensor, "g 3 m m"]:
        """The planes of some samples, ascending."""
        if len(picks) == len(self.sides):
            return self.levels
        return self.levels.index_select(0, device_tensor(picks, self.device))

    def replaced(self, picks: Sequence[int], levels: Float32[Tensor, "g 3 m m"]) -> "Canvas":
        """The canvas with other levels, of the same sides, for some samples, ascending."""
        if len(picks) == len(self.sides):
            return Canvas(levels, self.sides)
        return Canvas(self.levels.index_copy(0, device_tensor(picks, self.device), levels), self.sides)

    def sides_of(self, picks: Sequence[int]) -> list[int]:
        """Sides of some samples."""
        return [self.sides[pick] for pick in picks]


def canvas_of(images: UInt8[Tensor, "b 3 s s"]) -> Canvas:
    """8-bit images of one side."""
    return Canvas(images.float(), (images.shape[-1],) * len(images))


def image_levels(canvas: Canvas) -> UInt8[Tensor, "b 3 m m"]:
    """The nearest 8-bit levels, ties to even, clipped."""
    return canvas.levels.round().clamp_(0, 255).to(torch.uint8)


def to_device(tensor: Shaped[Tensor, "*n"], device: torch.device) -> Shaped[Tensor, "*n"]:
    """A tensor of the host on the device; the host does not wait for the copy."""
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def device_tensor(values: object, device: torch.device, dtype: torch.dtype = torch.int64) -> Shaped[Tensor, "*_"]:
    """Numbers of the host on the device; the host does not wait for the copy."""
    return to_device(torch.tensor(values, dtype=dtype), device)


def pixels_at(
    levels: Float32[Tensor, "b 3 m m"], rows: Int64[Tensor, "b r"], columns: Int64[Tensor, "b c"]
) -> Float32[Tensor, "b 3 r c"]:
    """The pixels where each sample's own rows and columns cross."""
    samples = torch.arange(len(levels), device=levels.device)[:, None, None, None]
    channels = torch.arange(3, device=levels.device)[:, None, None]
    return levels[samples, channels, rows[:, None, :, None], columns[:, None, None, :]]
