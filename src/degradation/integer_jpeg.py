"""JPEG encoding and decoding as tensor operations, bit-identical to libjpeg-turbo (performance.md 1.7).

Entropy coding is lossless and therefore left out. An image is a list of tiles of 16 x 16 pixels (four blocks of luma and two
of chroma), so that images of all sizes are one list, of exactly the pixels needed. The whole numbers are kept in float64,
where every partial sum is below 2^53 and so exact in any order, because CUDA has no product of integer matrices.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float32, Float64, Int, UInt8
from torch import Tensor
from torch.nn.functional import pad

from src.degradation.canvas import Canvas, to_device
from src.degradation.drawn import CodecDraw
from src.degradation.jpeg_tables import BASE_CHROMA, BASE_LUMA, Tables, tables_on
from src.degradation.jpeg_tiles import TILE, Tiles, tiles_of

_COLOUR_BITS = 16
_PASS_BITS = 11
_FORWARD_BITS = 15
_INVERSE_BITS = 18


def jpeg_canvas(canvas: Canvas, picks: Sequence[int], draws: Sequence[CodecDraw]) -> Canvas:
    """The canvas after a JPEG round trip of the samples `picks`, rounded to 8 bits before; the plane grows to whole tiles."""
    side = canvas.levels.shape[-1]
    levels = pad(canvas.levels, (0, -side % TILE) * 2)
    sides, qualities = canvas.sides_of(picks), [drawn.quality for drawn in draws]
    return Canvas(_code(levels, tiles_of(picks, sides, sides, canvas.device), qualities), canvas.sides)


def jpeg_roundtrip(images: UInt8[Tensor, "b 3 h w"], quality: Int[Tensor, "b"]) -> UInt8[Tensor, "b 3 h w"]:
    """RGB images after a JPEG round trip at `quality` (1..100 per image), as `codecs.encode_and_decode`.

    Baseline JPEG with 4:2:0 sampling, the integer ("islow") transform and triangle chroma up-sampling.
    """
    count, _, height, width = images.shape
    levels = pad(images.float(), (0, -width % TILE, 0, -height % TILE))
    tiles = tiles_of(range(count), [height] * count, [width] * count, images.device)
    return _code(levels, tiles, quality.tolist())[..., :height, :width].to(torch.uint8)


def _code(levels: Float32[Tensor, "b 3 m k"], tiles: Tiles, qualities: Sequence[int]) -> Float32[Tensor, "b 3 m k"]:
    """Planes whose sides are multiples of 16, their tiles coded."""
    tables = tables_on(levels.device)
    planes = _ycc_from_rgb(_pixels(levels, tiles), tables)
    blocks = _blocks(planes[..., 0], _subsample(planes[..., 1:], tiles))
    decoded = _through_quantiser(blocks, _quantisers(qualities, levels.device)[tiles.image], tables)
    rgb = _rgb_from_ycc(_luma(decoded), _upsample(decoded[:, 4:], tiles), tables)
    return levels.index_put(_places(tiles, tiles.rows, tiles.columns), rgb.float())


def _pixels(levels: Float32[Tensor, "b 3 m k"], tiles: Tiles) -> Float64[Tensor, "n 16 16 3"]:
    """8-bit levels of the tiles; the last row and column of an image are repeated."""
    pixels = levels[_places(tiles, tiles.rows_within, tiles.columns_within)]
    return pixels.round_().clamp_(0, 255).double()


def _places(tiles: Tiles, rows: Tensor, columns: Tensor) -> tuple[Tensor, ...]:
    """Indices into "b 3 m k" of tiles "n 16 16 3"."""
    channels = torch.arange(3, device=rows.device)
    return tiles.sample[:, None, None, None], channels, rows[:, :, None, None], columns[:, None, :, None]


def _ycc_from_rgb(rgb: Float64[Tensor, "n h w 3"], tables: Tables) -> Float64[Tensor, "n h w 3"]:
    """Luma and chroma in 0..255 by 16-bit fixed-point weights."""
    return _floor_shift(rgb @ tables.rgb_weights + tables.rgb_offsets, _COLOUR_BITS)


def _rgb_from_ycc(
    luma: Float64[Tensor, "n h w"], chroma: Float64[Tensor, "n 2 h w"], tables: Tables
) -> Float64[Tensor, "n h w 3"]:
    """RGB in 0..255 by 16-bit fixed-point weights."""
    change = (chroma - 128).movedim(1, -1).contiguous() @ tables.chroma_weights
    return (luma[..., None] + _round_shift(change, _COLOUR_BITS)).clamp_(0, 255)


def _subsample(chroma: Float64[Tensor, "n 16 16 2"], tiles: Tiles) -> Float64[Tensor, "n 8 8 2"]:
    """Means of 2 x 2 pixels; the rounding bias alternates 1, 2 along a row.

    Columns are padded before the mean, because the bias reaches the padded columns too; rows after it.
    """
    total = chroma.unflatten(2, (8, 2)).unflatten(1, (8, 2)).sum((2, 4))
    bias = 1 + torch.arange(8, device=chroma.device) % 2
    means = _floor_shift(total + bias[:, None], 2)
    return means.gather(1, tiles.chroma_rows()[:, :, None, None].expand(means.shape))


def _upsample(chroma: Float64[Tensor, "n 2 8 8"], tiles: Tiles) -> Float64[Tensor, "n 2 16 16"]:
    """Twice the size by the triangle filter 3:1 along both axes; planes of at most 2 columns are repeated instead."""
    halo = tiles.with_neighbours(chroma)
    near = 3 * halo[:, :, 1:-1]
    rows = torch.stack([near + halo[:, :, :-2], near + halo[:, :, 2:]], 3).flatten(2, 3)
    near = 3 * rows[..., 1:-1]
    columns = torch.stack([near + rows[..., :-2] + 8, near + rows[..., 2:] + 7], -1).flatten(-2)
    filtered = _floor_shift(columns, 4)
    if not tiles.some_narrow:
        return filtered
    repeated = chroma.repeat_interleave(2, -2).repeat_interleave(2, -1)
    return torch.where(tiles.narrow[:, None, None, None], repeated, filtered)


def _blocks(luma: Float64[Tensor, "n 16 16"], chroma: Float64[Tensor, "n 8 8 2"]) -> Float64[Tensor, "n 6 8 8"]:
    """Four blocks of luma and one of each chroma."""
    four = luma.unflatten(2, (2, 8)).unflatten(1, (2, 8)).transpose(2, 3).flatten(1, 2)
    return torch.cat([four, chroma.movedim(-1, 1)], 1)


def _luma(blocks: Float64[Tensor, "n 6 8 8"]) -> Float64[Tensor, "n 16 16"]:
    """The four blocks of luma side by side."""
    return blocks[:, :4].unflatten(1, (2, 2)).transpose(2, 3).flatten(3, 4).flatten(1, 2)


def _through_quantiser(
    blocks: Float64[Tensor, "n 6 8 8"], steps: Float64[Tensor, "n 6 8 8"], tables: Tables
) -> Float64[Tensor, "n 6 8 8"]:
    """Samples 0..255 transformed, quantised and back; coefficients, and so `steps`, have columns first.

    Forward rows are transformed first, inverse columns; each pass is along the last axis and ends with a rounding.
    """
    basis = tables.basis
    rows = _round_shift((blocks - 128) @ basis.T, _PASS_BITS)
    coefficients = _round_shift(rows.mT.contiguous() @ basis.T, _FORWARD_BITS)
    columns = _round_shift(_quantise(coefficients, steps) @ basis, _PASS_BITS)
    return (_round_shift(columns.mT.contiguous() @ basis, _INVERSE_BITS) + 128).clamp_(0, 255)


def _quantise(coefficients: Float64[Tensor, "*n 8 8"], steps: Float64[Tensor, "*n 8 8"]) -> Float64[Tensor, "*n 8 8"]:
    """The nearest multiple of each step, ties away from zero, of coefficients that are scaled by 8."""
    divisor = 8 * steps
    return coefficients.sign() * torch.floor((coefficients.abs() + divisor / 2) / divisor) * steps


def _quantisers(qualities: Sequence[int], device: torch.device) -> Float64[Tensor, "b 6 8 8"]:
    """Quantiser steps of the six blocks of a tile, columns first."""
    scales = torch.tensor([5000 // quality if quality < 50 else 200 - 2 * quality for quality in qualities])
    base = torch.stack([BASE_LUMA.T] * 4 + [BASE_CHROMA.T] * 2)
    return to_device(((base * scales[:, None, None, None] + 50) // 100).clamp(1, 255).double(), device)


def _floor_shift(values: Float64[Tensor, "*n"], bits: int) -> Float64[Tensor, "*n"]:
    """Whole numbers divided by 2^bits, rounded down."""
    return (values * 2.0**-bits).floor_()


def _round_shift(values: Float64[Tensor, "*n"], bits: int) -> Float64[Tensor, "*n"]:
    """Whole numbers divided by 2^bits, rounded to nearest with ties upwards."""
    return _floor_shift(values + 2.0 ** (bits - 1), bits)
