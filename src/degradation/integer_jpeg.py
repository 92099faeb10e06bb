"""JPEG encoding and decoding as tensor operations, bit-identical to libjpeg-turbo (performance.md 1.7).

Entropy coding is lossless and therefore left out. Whole-number arithmetic runs in int32 for colour and sampling; the
discrete cosine transform runs in float64, where every partial sum is a whole number below 2^53 and so exact in any
order, because CUDA has no integer matrix product.
"""

import torch
from jaxtyping import Float64, Int, Int32, UInt8
from torch import Tensor

from src.degradation.jpeg_tables import BASE_CHROMA, BASE_LUMA, COSINE_BASIS

_PASS_BITS = 11
_FORWARD_BITS = 15
_INVERSE_BITS = 18


def jpeg_roundtrip(images: UInt8[Tensor, "b 3 h w"], quality: Int[Tensor, "b"]) -> UInt8[Tensor, "b 3 h w"]:
    """RGB images after a JPEG round trip at `quality` (1..100 per image), as `operations.jpeg`.

    Baseline JPEG with 4:2:0 sampling, the integer ("islow") transform and triangle chroma up-sampling.
    """
    height, width = images.shape[-2:]
    luma, chroma = _ycc_from_rgb(images.int())
    small = _subsample(chroma)
    scale = _quality_scale(quality.to(images.device))
    luma = _code_plane(luma, _quantisers(BASE_LUMA, scale), height, width)
    small = _code_plane(small, _quantisers(BASE_CHROMA, scale), (height + 1) // 2, (width + 1) // 2)
    return _rgb_from_ycc(luma, _upsample(small)[..., :height, :width]).clamp(0, 255).to(torch.uint8)


def _ycc_from_rgb(rgb: Int32[Tensor, "b 3 h w"]) -> tuple[Int32[Tensor, "b 1 h w"], Int32[Tensor, "b 2 h w"]]:
    """Luma and chroma in 0..255 by 16-bit fixed-point weights."""
    red, green, blue = rgb.unbind(1)
    centre = (128 << 16) + 32767
    luma = (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16
    chroma_blue = (-11059 * red - 21709 * green + 32768 * blue + centre) >> 16
    chroma_red = (32768 * red - 27439 * green - 5329 * blue + centre) >> 16
    return luma[:, None], torch.stack([chroma_blue, chroma_red], 1)


def _rgb_from_ycc(luma: Int32[Tensor, "b 1 h w"], chroma: Int32[Tensor, "b 2 h w"]) -> Int32[Tensor, "b 3 h w"]:
    """RGB by 16-bit fixed-point weights, not yet limited to 0..255."""
    blue, red = (chroma - 128).unbind(1)
    change = [
        (91881 * red + 32768) >> 16,
        (-22554 * blue - 46802 * red + 32768) >> 16,
        (116130 * blue + 32768) >> 16,
    ]
    return luma + torch.stack(change, 1)


def _subsample(chroma: Int32[Tensor, "b c h w"]) -> Int32[Tensor, "b c hs ws"]:
    """Means of 2 x 2 pixels; the rounding bias alternates 1, 2 along a row.

    Columns are padded to whole blocks before the mean, because the bias reaches the padded columns too; rows only to
    an even number (whole rows of blocks are padded afterwards).
    """
    height, width = chroma.shape[-2:]
    padded = _replicate(chroma, height + height % 2, -(-width // 16) * 16)
    total = padded[..., 0::2, 0::2] + padded[..., 0::2, 1::2] + padded[..., 1::2, 0::2] + padded[..., 1::2, 1::2]
    bias = 1 + torch.arange(total.shape[-1], device=chroma.device, dtype=torch.int32) % 2
    return (total + bias) >> 2


def _upsample(small: Int32[Tensor, "b c hs ws"]) -> Int32[Tensor, "b c h w"]:
    """Twice the size by the triangle filter 3:1 along both axes; planes of at most 2 columns are repeated instead."""
    if small.shape[-1] <= 2:
        return small.repeat_interleave(2, -2).repeat_interleave(2, -1)
    above, below = _neighbours(small, -2)
    rows = torch.stack([3 * small + above, 3 * small + below], -2).flatten(-3, -2)
    left, right = _neighbours(rows, -1)
    return torch.stack([(3 * rows + left + 8) >> 4, (3 * rows + right + 7) >> 4], -1).flatten(-2)


def _code_plane(
    plane: Int32[Tensor, "b c h w"], quantisers: Float64[Tensor, "b 8 8"], height: int, width: int
) -> Int32[Tensor, "b c hn wn"]:
    """Transform, quantise and back; the part of `height` x `width` pixels that the decoder keeps."""
    rows, columns = (-(-side // 8) for side in plane.shape[-2:])
    blocks = _replicate(plane, 8 * rows, 8 * columns).unflatten(-1, (columns, 8)).unflatten(-3, (rows, 8))
    steps = quantisers[:, None, None, None]
    samples = _inverse(_quantise(_forward(blocks.transpose(-2, -3).double() - 128), steps))
    decoded = (samples + 128).clamp(0, 255).int().transpose(-2, -3)
    return decoded.flatten(-2).flatten(-3, -2)[..., :height, :width]


def _forward(blocks: Float64[Tensor, "*n 8 8"]) -> Float64[Tensor, "*n 8 8"]:
    """Cosine transform scaled by 8: rows first, rounding after each pass."""
    basis = COSINE_BASIS.to(blocks)
    return _shift(basis @ _shift(blocks @ basis.T, _PASS_BITS), _FORWARD_BITS)


def _inverse(coefficients: Float64[Tensor, "*n 8 8"]) -> Float64[Tensor, "*n 8 8"]:
    """Inverse cosine transform: columns first, rounding after each pass."""
    basis = COSINE_BASIS.to(coefficients)
    return _shift(_shift(basis.T @ coefficients, _PASS_BITS) @ basis, _INVERSE_BITS)


def _shift(values: Float64[Tensor, "*n 8 8"], bits: int) -> Float64[Tensor, "*n 8 8"]:
    """Whole numbers divided by 2^bits, rounded to nearest with ties upwards."""
    return torch.floor((values + 2.0 ** (bits - 1)) * 2.0**-bits)


def _quantise(
    coefficients: Float64[Tensor, "b *n 8 8"], steps: Float64[Tensor, "b *m 8 8"]
) -> Float64[Tensor, "b *n 8 8"]:
    """The nearest multiple of each step, ties away from zero, of coefficients that are scaled by 8."""
    divisor = 8 * steps
    return coefficients.sign() * torch.floor((coefficients.abs() + divisor / 2) / divisor) * steps


def _quality_scale(quality: Int[Tensor, "b"]) -> Int[Tensor, "b"]:
    """Percentage by which the base quantisers are scaled."""
    return torch.where(quality < 50, 5000 // quality.clamp(min=1), 200 - 2 * quality)


def _quantisers(base: Int[Tensor, "8 8"], scale: Int[Tensor, "b"]) -> Float64[Tensor, "b 8 8"]:
    return ((base.to(scale) * scale[:, None, None] + 50) // 100).clamp(1, 255).double()


def _replicate(plane: Int32[Tensor, "b c h w"], height: int, width: int) -> Int32[Tensor, "b c hn wn"]:
    """Pad below and to the right by repeating the last row and column."""
    rows = torch.arange(height, device=plane.device).clamp(max=plane.shape[-2] - 1)
    columns = torch.arange(width, device=plane.device).clamp(max=plane.shape[-1] - 1)
    return plane[..., rows, :][..., columns]


def _neighbours(
    plane: Int32[Tensor, "b c h w"], axis: int
) -> tuple[Int32[Tensor, "b c h w"], Int32[Tensor, "b c h w"]]:
    """For each row or column the one before and the one after it; the outermost stand for themselves."""
    last = plane.shape[axis] - 1
    places = torch.arange(last + 1, device=plane.device)
    before, after = (places - 1).clamp(min=0), (places + 1).clamp(max=last)
    return plane.index_select(axis, before), plane.index_select(axis, after)
