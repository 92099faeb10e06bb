"""The normal numbers of `keyed` as tensor operations: the same bits on any device, for a whole batch at once.

Words of 32 bits stand in int64. Every float32 operation is a single one (no fused multiply-add), in the order of `keyed`.
"""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from src.degradation.canvas import device_tensor
from src.degradation.keyed import SampleKey
from src.degradation.keyed_constants import (
    ATANH,
    COSINE,
    LN2,
    MASK,
    MULTIPLIERS,
    QUARTER,
    ROOT,
    ROUNDS,
    SINE,
    SMALL,
    WEYL,
)


def _single(*numbers: float) -> tuple[float, ...]:
    return tuple(float(np.float32(number)) for number in numbers)


_LN2, _ROOT, _QUARTER, _SMALL = _single(LN2, ROOT, QUARTER, SMALL)
_ATANH, _SINE, _COSINE = _single(*ATANH), _single(*SINE), _single(*COSINE)


def keyed_normals_canvas(
    keys: Sequence[SampleKey],
    streams: Sequence[int],
    sides: Sequence[int],
    channels: Sequence[int],
    side: int,
    device: torch.device,
) -> Float32[Tensor, "b 3 m m"]:
    """Fields of standard normal numbers on a canvas of `side`.

    Sample i is `keyed_normals(keys[i], streams[i], n * n * c).reshape(n, n, c)` with n = sides[i] and c = channels[i], which
    is 1 or 3; a field of one channel stands in all three planes. Outside n x n the numbers mean nothing. Raises ValueError
    for an illegal key.
    """
    blocks = [-(-n * n * c // 4) for n, c in zip(sides, channels, strict=True)]
    starts = list(accumulate(blocks, initial=0))[:-1]
    numbers = _normals(keys, streams, blocks, starts, device)
    rows = zip(starts, sides, channels, strict=True)
    table = device_tensor([(4 * start, n * c, c, c // 3) for start, n, c in rows], device)
    first, pitch, width, plane = table.T[..., None, None, None]
    places = torch.arange(side, device=device)
    of_rows = first + plane * places.new_tensor(range(3))[:, None, None] + pitch * places[:, None]
    return numbers[(of_rows + width * places).clamp_(max=len(numbers) - 1)]


def _normals(
    keys: Sequence[SampleKey], streams: Sequence[int], blocks: list[int], starts: list[int], device: torch.device
) -> Float32[Tensor, "n"]:
    """Four numbers a block, sample after sample; those of a sample that has B blocks as `keyed_normals` orders 4 B."""
    total = sum(blocks)
    rows = [
        (start, count, key.index, key.epoch, stream)
        for start, count, key, stream in zip(starts, blocks, keys, streams, strict=True)
    ]
    table, counts = device_tensor(rows, device).T, device_tensor(blocks, device)
    sample = torch.repeat_interleave(torch.arange(len(blocks), device=device), counts, output_size=total)
    start, count, index, epoch, stream = table[:, sample]
    block = torch.arange(total, device=device) - start
    round_keys = _round_keys(keys, device)
    one_seed = len({key.seed for key in keys}) == 1
    round_keys = round_keys[..., :1] if one_seed else round_keys[..., sample]
    words = _philox(torch.stack([block, epoch]), torch.stack([index, stream]), round_keys)
    places = 4 * start + block + count * torch.arange(4, device=device)[:, None]
    return torch.empty(4 * total, dtype=torch.float32, device=device).index_copy_(
        0, places.flatten(), _box_muller(*words).flatten()
    )


def _round_keys(keys: Sequence[SampleKey], device: torch.device) -> Int64[Tensor, "10 2 b"]:
    """The key, (seed, 0), raised by the Weyl constants from round to round."""
    seeds = [key.checked()[0] for key in keys]
    return device_tensor(
        [[[(seed + n * WEYL[0]) & MASK for seed in seeds], [n * WEYL[1] & MASK] * len(seeds)] for n in range(ROUNDS)],
        device,
    )


def _philox(
    multiplied: Int64[Tensor, "2 n"], others: Int64[Tensor, "2 n"], keys: Int64[Tensor, "10 2 _"]
) -> tuple[Int64[Tensor, "2 n"], Int64[Tensor, "2 n"]]:
    """Words (a, c) and (b, d) of the counters' blocks (a, b, c, d)."""
    multipliers = device_tensor(MULTIPLIERS, keys.device)[:, None]
    for key in keys:
        # Modulo 2^64; bits above the word of 32 are cleared only where a product would see them.
        products = (multiplied * multipliers).flip(0)
        multiplied = (products >> 32).bitwise_xor_(others).bitwise_xor_(key).bitwise_and_(MASK)
        others = products
    return multiplied, others & MASK


def _box_muller(radius_words: Int64[Tensor, "2 n"], angle_words: Int64[Tensor, "2 n"]) -> Float32[Tensor, "2 2 n"]:
    """Cosine and sine part (second axis) of both pairs of words (first axis)."""
    bits = (((radius_words >> 8).float() + 0.5) * _SMALL).view(torch.int32)
    mantissa = ((bits & 0x7FFFFF) | 0x3F800000).view(torch.float32)
    radius = _radius(mantissa, ((bits >> 23) - 127).float())
    return torch.stack(_circle((angle_words >> 8).float() * _SMALL), 1) * radius[:, None]


def _radius(mantissa: Float32[Tensor, "2 n"], exponent: Float32[Tensor, "2 n"]) -> Float32[Tensor, "2 n"]:
    """sqrt(-2 ln(mantissa 2^exponent)), mantissa in [1, 2)."""
    s = (mantissa - _ROOT) / (mantissa + _ROOT)
    log = s * _series(_ATANH, s * s)
    squared = (-2 * (log + (exponent + 0.5) * _LN2)).clamp(min=0)
    # On the CPU the float32 root is not always the nearest number; that of the float64 root always is.
    return squared.double().sqrt().float()


def _circle(turn: Float32[Tensor, "2 n"]) -> tuple[Float32[Tensor, "2 n"], Float32[Tensor, "2 n"]]:
    """Cosine and sine of 2 pi `turn`, 0 <= turn < 1."""
    quarters = turn * 4
    place = (quarters + 0.5).int()
    x = (quarters - place.float()) * _QUARTER
    t = x * x
    sine, cosine = x * _series(_SINE, t), _series(_COSINE, t)
    odd, sign = (place & 1).float(), 1 - (place & 2).float()
    even = 1 - odd
    return sign * (even * cosine - odd * sine), sign * (even * sine + odd * cosine)


def _series(coefficients: tuple[float, ...], t: Float32[Tensor, "2 n"]) -> Float32[Tensor, "2 n"]:
    """The polynomial in t, lowest power first, by Horner's rule."""
    *rest, value = coefficients
    total: Tensor | float = value
    for coefficient in reversed(rest):
        total = coefficient + t * total
    assert isinstance(total, Tensor)
    return total
