"""The normal numbers of the tensor engine are those of the CPU engine, bit for bit."""

import numpy as np
import pytest
import torch

from src.degradation.keyed import SampleKey, keyed_normals
from src.degradation.keyed_tensor import keyed_normals_canvas

CPU = torch.device("cpu")
LARGEST = 2**32 - 1
SAMPLES = [
    (SampleKey(0, 0, 0), 0, 1, 1),
    (SampleKey(7, 2, 3), 12345, 1, 3),
    (SampleKey(LARGEST, LARGEST, LARGEST), LARGEST, 2, 3),
    (SampleKey(1, 0, 70_000), 2**31, 5, 1),
    (SampleKey(3, 40, 9), 77, 33, 3),
    (SampleKey(3, 40, 9), 77, 64, 1),
    (SampleKey(2**31, 1, 2**31), 5, 101, 3),
]


def test_every_sample_has_the_bits_of_its_own_field() -> None:
    keys, streams, sides, channels = map(list, zip(*SAMPLES, strict=True))
    fields = keyed_normals_canvas(keys, streams, sides, channels, 101, CPU)
    assert fields.shape == (len(SAMPLES), 3, 101, 101)
    for field, (key, stream, n, c) in zip(fields, SAMPLES, strict=True):
        expected = np.broadcast_to(keyed_normals(key, stream, n * n * c).reshape(n, n, c), (n, n, 3))
        found = field[:, :n, :n].permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(np.ascontiguousarray(found).view(np.int32), np.array(expected).view(np.int32))


def test_a_million_numbers_have_the_same_bits() -> None:
    key, side = SampleKey(11, 5, 123_456), 600
    found = keyed_normals_canvas([key], [9], [side], [3], side, CPU)[0].permute(1, 2, 0).contiguous().numpy()
    expected = keyed_normals(key, 9, 3 * side * side)
    np.testing.assert_array_equal(found.reshape(-1).view(np.int32), expected.view(np.int32))


def test_an_illegal_key_is_refused() -> None:
    with pytest.raises(ValueError, match="expected whole numbers from 0"):
        keyed_normals_canvas([SampleKey(0, -1, 0)], [0], [4], [3], 4, CPU)
