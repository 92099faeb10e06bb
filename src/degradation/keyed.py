"""Random numbers of a degradation: pure functions of (seed, epoch, index, stream) by the generator Philox4x32-10.

Philox (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) turns a 128-bit counter and a 64-bit key into four
words of 32 bits. The counter is (block, index, epoch, stream), the key (seed, 0): no two samples share a number, nothing has
to be seeded, and `keyed_tensor` computes the same bits on any device.
"""

from dataclasses import dataclass
from zlib import crc32

import numpy as np
from jaxtyping import Float32, Float64

from src.compiled import inline, kernel
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

Words = np.ndarray
"""uint32"""
Numbers = np.ndarray
"""float32"""

_MULTIPLIERS, _WEYL = tuple(map(np.uint64, MULTIPLIERS)), tuple(map(np.uint64, WEYL))
_PIECE = 2048
_HALF, _SMALL = np.float32(0.5), np.float32(SMALL)
_LN2, _ROOT, _QUARTER = np.float32(LN2), np.float32(ROOT), np.float32(QUARTER)
_ATANH, _SINE, _COSINE = (tuple(map(np.float32, series)) for series in (ATANH, SINE, COSINE))


@dataclass(frozen=True)
class SampleKey:
    """What the random numbers of one sample depend on; whole numbers from 0 to 2**32 - 1."""

    seed: int
    epoch: int
    index: int

    def checked(self) -> tuple[int, int, int]:
        """Seed, epoch and index. Raises ValueError when one is negative or needs more than 32 bits (conventions.md 4)."""
        numbers = (self.seed, self.epoch, self.index)
        if not all(0 <= number <= MASK for number in numbers):
            raise ValueError(f"seed, epoch and index are {list(numbers)}, expected whole numbers from 0 to 2**32 - 1")
        return numbers


def stream_number(name: str, place: int = 0) -> int:
    """The 32-bit number of a named stream ("degradation", "noise", "flip", ...) at a place of a chain."""
    return (crc32(name.encode()) + place) & MASK


def keyed_uniforms(key: SampleKey, stream: int, count: int) -> Float64[np.ndarray, "n"]:
    """`count` numbers uniform in [0, 1), 53 bits each. Raises ValueError for an illegal key."""
    words = np.empty((4, -(-count // 2)), np.uint32)
    _fill_words(words, 0, *_key_words(key, stream))
    high, low = words[0::2].T.reshape(-1)[:count], words[1::2].T.reshape(-1)[:count]
    return ((high >> 5) * 2.0**26 + (low >> 6)) * 2.0**-53


def keyed_normals(key: SampleKey, stream: int, count: int) -> Float32[np.ndarray, "n"]:
    """`count` standard normal numbers by Box and Muller's transform of 24-bit uniforms, so at most 5.9 in size.

    Of B = ceil(count / 4) blocks of words (a, b, c, d), number i is the cosine part of (a, b) of block i, number B + i the
    sine part, and 2 B + i, 3 B + i those of (c, d). Raises ValueError for an illegal key.
    """
    normals = np.empty((4, -(-count // 4)), np.float32)
    _fill_normals(normals, *_key_words(key, stream))
    return normals.reshape(-1)[:count]


def _key_words(key: SampleKey, stream: int) -> tuple[np.uint64, ...]:
    """Key and fixed part of the counter: seed, 0, index, epoch, stream."""
    seed, epoch, index = key.checked()
    return tuple(map(np.uint64, (seed, 0, index, epoch, stream)))


@inline
def _philox(
    first_words: Words,
    second_words: Words,
    third_words: Words,
    fourth_words: Words,
    first: int,
    key: np.uint64,
    key2: np.uint64,
    index: np.uint64,
    epoch: np.uint64,
    stream: np.uint64,
) -> None:
    high, low = np.uint64(32), np.uint64(MASK)
    for block in range(first_words.size):
        a, b, c, d = np.uint64(first + block), index, epoch, stream
        k, m = key, key2
        for _ in range(ROUNDS):
            p, q = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
            a, b, c, d = (q >> high) ^ b ^ k, q & low, (p >> high) ^ d ^ m, p & low
            k, m = (k + _WEYL[0]) & low, (m + _WEYL[1]) & low
        first_words[block] = a
        second_words[block] = b
        third_words[block] = c
        fourth_words[block] = d


@kernel
def _fill_words(
    words: Words, first: int, key: np.uint64, key2: np.uint64, index: np.uint64, epoch: np.uint64, stream: np.uint64
) -> None:
    """Column i of `words` "4 n" is block `first` + i."""
    _philox(words[0], words[1], words[2], words[3], first, key, key2, index, epoch, stream)


@inline
def _radius(mantissa: np.float32, exponent: np.float32) -> np.float32:
    """sqrt(-2 ln(mantissa 2^exponent)), mantissa in [1, 2), by the series of the inverse hyperbolic tangent."""
    s = (mantissa - _ROOT) / (mantissa + _ROOT)
    t = s * s
    log = s * (_ATANH[0] + t * (_ATANH[1] + t * (_ATANH[2] + t * (_ATANH[3] + t * _ATANH[4]))))
    # Rounding may leave the logarithm of a number next to 1 above 0.
    return np.sqrt(max(np.float32(-2) * (log + (exponent + _HALF) * _LN2), np.float32(0)))


@inline
def _circle(turn: np.float32) -> tuple[np.float32, np.float32]:
    """Sine and cosine of 2 pi `turn`, 0 <= turn < 1, by Taylor series within an eighth of a turn."""
    # Whole numbers by truncation: a call to floor would keep the loop from becoming vector code.
    place = np.int32(turn * np.float32(4) + _HALF)
    x = (turn * np.float32(4) - np.float32(place)) * _QUARTER
    t = x * x
    sine = x * (_SINE[0] + t * (_SINE[1] + t * (_SINE[2] + t * (_SINE[3] + t * _SINE[4]))))
    cosine = _COSINE[0] + t * (_COSINE[1] + t * (_COSINE[2] + t * (_COSINE[3] + t * _COSINE[4])))
    odd = np.float32(place & np.int32(1))
    even, sign = np.float32(1) - odd, np.float32(1) - np.float32(place & np.int32(2))
    return sign * (even * sine + odd * cosine), sign * (even * cosine - odd * sine)


@inline
def _box_muller(radius_words: Words, angle_words: Words, cosines: Numbers, sines: Numbers) -> None:
    """Loops without branches, calls or overlapping arrays, so that they become vector code."""
    uniforms, mantissas = np.empty(cosines.size, np.float32), np.empty(cosines.size, np.float32)
    uniform_bits, mantissa_bits = uniforms.view(np.uint32), mantissas.view(np.uint32)
    for i in range(cosines.size):
        uniforms[i] = (np.float32(radius_words[i] >> np.uint32(8)) + _HALF) * _SMALL
    for i in range(cosines.size):
        mantissa_bits[i] = (uniform_bits[i] & np.uint32(0x7FFFFF)) | np.uint32(0x3F800000)
    for i in range(cosines.size):
        exponent = np.float32(np.int32(uniform_bits[i] >> np.uint32(23)) - np.int32(127))
        mantissas[i] = _radius(mantissas[i], exponent)
    for i in range(cosines.size):
        sine, cosine = _circle(np.float32(angle_words[i] >> np.uint32(8)) * _SMALL)
        cosines[i] = mantissas[i] * cosine
        sines[i] = mantissas[i] * sine


@kernel
def _fill_normals(
    out: Numbers, key: np.uint64, key2: np.uint64, index: np.uint64, epoch: np.uint64, stream: np.uint64
) -> None:
    """In pieces that stay in the cache."""
    words = np.empty((4, _PIECE), np.uint32)
    for start in range(0, out.shape[1], _PIECE):
        stop = min(start + _PIECE, out.shape[1])
        count = stop - start
        _fill_words(words[:, :count], start, key, key2, index, epoch, stream)
        for pair in range(0, 4, 2):
            _box_muller(words[pair, :count], words[pair + 1, :count], out[pair, start:stop], out[pair + 1, start:stop])
