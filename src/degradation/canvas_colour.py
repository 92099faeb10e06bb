"""Changes of colour of a batch: as `colour` on single images."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from src.degradation.canvas import Canvas, device_tensor
from src.degradation.colour import JITTER_LUMA, LUMA
from src.degradation.drawn import JitterDraw, ShiftDraw

Levels = Float32[Tensor, "g 3 h w"]
Plane = Float32[Tensor, "g 1 h w"]
Number = Float32[Tensor, "g 1 1 1"]

_HIGH, _RISING, _LOW, _FALLING = range(4)
_OF_SIXTH = (
    (_HIGH, _FALLING, _LOW, _LOW, _RISING, _HIGH),
    (_RISING, _HIGH, _HIGH, _FALLING, _LOW, _LOW),
    (_LOW, _LOW, _RISING, _HIGH, _HIGH, _FALLING),
)
"""What red, green and blue are in each sixth of the colour circle."""


def shift_canvas(canvas: Canvas, picks: Sequence[int], draws: Sequence[ShiftDraw]) -> Canvas:
    """The samples `picks` with an offset on each channel, clipped to 0..255."""
    offsets = device_tensor([drawn.offsets for drawn in draws], canvas.device, torch.float32)[..., None, None]
    return canvas.replaced(picks, (canvas.chosen(picks) + offsets).clamp_(0, 255))


def grey_canvas(canvas: Canvas, picks: Sequence[int]) -> Canvas:
    """The samples `picks` with their luma in all three channels."""
    levels = canvas.chosen(picks)
    return canvas.replaced(picks, _luma(levels, LUMA).expand(levels.shape).contiguous())


def jitter_canvas(canvas: Canvas, picks: Sequence[int], draws: Sequence[JitterDraw]) -> Canvas:
    """The samples `picks` with brightness, contrast, saturation and hue changed, each in its own order; clipped to 0..255."""
    levels = canvas.chosen(picks)
    inside = _inside(canvas.sides_of(picks), levels.shape[-1], canvas.device)
    for changes in zip(*(drawn.changes for drawn in draws), strict=True):
        levels = _change(levels, inside, [name for name, _ in changes], [amount for _, amount in changes])
    return canvas.replaced(picks, levels)


def _change(levels: Levels, inside: Bool[Tensor, "g 1 h w"], names: list[str], amounts: list[float]) -> Levels:
    """One change of each sample: brightness, contrast and saturation blend with black, mean luma and luma."""
    factor = _numbers(amounts, levels.device)
    grey = _luma(levels, JITTER_LUMA)
    count = inside.sum((2, 3), keepdim=True)
    mean = (torch.where(inside, grey, 0.0).sum((2, 3), keepdim=True, dtype=torch.float64) / count).float()
    other = torch.where(_are(names, "saturation", levels.device), grey, 0.0)
    other = torch.where(_are(names, "contrast", levels.device), mean, other)
    blended = (factor * levels).add_((1 - factor) * other).clamp_(0, 255)
    blended = torch.where(_are(names, "hue", levels.device), levels, blended)
    turning = [place for place, name in enumerate(names) if name == "hue" and amounts[place] != 0]
    if not turning:
        return blended
    places = device_tensor(turning, levels.device)
    turns = _numbers([amounts[place] for place in turning], levels.device)
    return blended.index_copy_(0, places, _turned(levels.index_select(0, places), turns))


def _turned(levels: Levels, turn: Number) -> Levels:
    """Colours turned by a part of the circle, through hue, saturation and value and back."""
    red, green, blue = levels.split(1, 1)
    high, low = levels.amax(1, keepdim=True), levels.amin(1, keepdim=True)
    spread = high - low
    some = torch.where(spread == 0, 1.0, spread)
    hue = torch.where(high == green, 2 + (blue - red) / some, 4 + (red - green) / some)
    hue = torch.where(high == red, (green - blue) / some, hue) / 6 + turn
    hue = 6 * (hue - hue.floor())
    sixth = hue.long()
    part = hue - sixth.float()
    kinds = torch.cat([high, high - spread * (1 - part), low, high - spread * part], 1)
    table: Int64[Tensor, "3 6"] = device_tensor(_OF_SIXTH, levels.device)
    return kinds.gather(1, table[:, sixth[:, 0] % 6].movedim(0, 1))


def _luma(levels: Levels, weights: Sequence[float | np.float32]) -> Plane:
    red, green, blue = (float(weight) for weight in weights)
    return levels[:, :1] * red + levels[:, 1:2] * green + levels[:, 2:] * blue


def _inside(sides: Sequence[int], side: int, device: torch.device) -> Bool[Tensor, "g 1 h w"]:
    """Which pixels belong to the images."""
    within = torch.arange(side, device=device) < device_tensor(sides, device)[:, None]
    return (within[:, None, :, None] & within[:, None, None]).contiguous()


def _are(names: list[str], name: str, device: torch.device) -> Bool[Tensor, "g 1 1 1"]:
    return device_tensor([other == name for other in names], device, torch.bool)[:, None, None, None]


def _numbers(values: list[float], device: torch.device) -> Number:
    return device_tensor(values, device, torch.float32)[:, None, None, None]
