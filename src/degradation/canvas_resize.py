"""Resize of a batch, every sample from its own side to its own, by OpenCV's interpolations."""

from collections.abc import Sequence

from jaxtyping import Float32, Int64
from torch import Tensor

from src.degradation.canvas import Canvas, device_tensor
from src.degradation.drawn import ResizeDraw
from src.degradation.resize_taps import area_operator, tap_table

_REDUCE = "area that reduces"


def resize_canvas(canvas: Canvas, picks: Sequence[int], draws: Sequence[ResizeDraw]) -> Canvas:
    """The samples `picks` resized, those that share an interpolation together; the plane has the largest side then."""
    sides = list(canvas.sides)
    groups: dict[str, list[int]] = {}
    for pick, drawn in zip(picks, draws, strict=True):
        source, sides[pick] = sides[pick], drawn.side
        if drawn.side != source:
            reduce = drawn.interpolation == "area" and drawn.side < source
            groups.setdefault(_REDUCE if reduce else drawn.interpolation, []).append(pick)
    if [len(group) for group in groups.values()] == [len(sides)]:
        interpolation, group = groups.popitem()
        return Canvas(_resized(canvas, group, sides, interpolation), tuple(sides))
    levels = _reshaped(canvas.levels, max(sides))
    for interpolation in sorted(groups):
        group = groups[interpolation]
        resized = _resized(canvas, group, [sides[pick] for pick in group], interpolation)
        part = levels[..., : resized.shape[-1], : resized.shape[-1]]
        part.index_copy_(0, device_tensor(group, canvas.device), resized)
    return Canvas(levels, tuple(sides))


def _resized(
    canvas: Canvas, picks: Sequence[int], targets: Sequence[int], interpolation: str
) -> Float32[Tensor, "g 3 n n"]:
    sources = canvas.sides_of(picks)
    levels = canvas.chosen(picks)[..., : max(sources), : max(sources)]
    if interpolation == _REDUCE:
        operator = area_operator(sources, targets, canvas.device)
        columns = (levels.double().flatten(1, 2) @ operator.mT).unflatten(1, (3, -1))
        rows = operator @ columns.transpose(1, 2).flatten(2)
        return rows.unflatten(2, (3, -1)).transpose(1, 2).float().contiguous()
    places, weights = tap_table(interpolation, sources, targets, canvas.device)
    columns = _weighted(levels, places[:, None, None], weights[:, None, None], -1)
    return _weighted(columns, places[:, None, :, None], weights[:, None, :, None], -2)


def _weighted(
    levels: Float32[Tensor, "g 3 h w"],
    places: Int64[Tensor, "g 1 r c k"],
    weights: Float32[Tensor, "g 1 r c k"],
    axis: int,
) -> Float32[Tensor, "g 3 _ _"]:
    """The weighted sum of the taps along one axis; the other one has length 1 in the tables."""
    shape = list(levels.shape)
    shape[axis] = places.shape[2:4][axis]
    total = None
    for place, weight in zip(places.unbind(-1), weights.unbind(-1), strict=True):
        tap = levels.gather(axis, place.expand(shape)).mul_(weight)
        total = tap if total is None else total.add_(tap)
    assert total is not None
    return total


def _reshaped(levels: Float32[Tensor, "b 3 m m"], side: int) -> Float32[Tensor, "b 3 n n"]:
    """The top left part of planes, filled up with 0, as a copy."""
    reshaped = levels.new_zeros(*levels.shape[:2], side, side)
    kept = min(side, levels.shape[-1])
    reshaped[..., :kept, :kept] = levels[..., :kept, :kept]
    return reshaped
