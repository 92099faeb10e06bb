"""Keyed random numbers: the published generator, its distribution, and what a key stands for."""

import numpy as np
import pytest
from scipy import stats

from src.degradation.keyed import SampleKey, _fill_words, keyed_normals, keyed_uniforms, stream_number

# Known answers of Philox4x32-10: counter, key, output (the generator's authors publish them with their library).
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_the_generator_gives_its_known_answers(
    counter: tuple[int, ...], key: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    words = np.empty((4, 1), np.uint32)
    first, *rest = counter
    _fill_words(words, first, *map(np.uint64, (*key, *rest)))
    assert tuple(words[:, 0].tolist()) == expected


def test_normals_are_normal() -> None:
    numbers = keyed_normals(SampleKey(3, 1, 5), 7, 400_000).astype(np.float64)
    assert stats.kstest(numbers, "norm").pvalue > 0.01
    assert stats.kurtosis(numbers) == pytest.approx(0, abs=0.03)
    quarters = numbers.reshape(4, -1)
    assert np.abs(np.corrcoef(quarters) - np.eye(4)).max() < 0.01
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.01
    assert 4 < np.abs(numbers).max() < 5.9


def test_normals_are_the_transform_of_the_words() -> None:
    key, stream, blocks = SampleKey(1, 2, 3), stream_number("noise"), 5000
    words = np.empty((4, blocks), np.uint32)
    _fill_words(words, 0, *map(np.uint64, (key.seed, 0, key.index, key.epoch, stream)))
    parts = (words >> 8).astype(np.float64)
    radius, turn = np.sqrt(-2 * np.log((parts[::2] + 0.5) / 2**24)), 2 * np.pi * parts[1::2] / 2**24
    expected = np.stack([radius * np.cos(turn), radius * np.sin(turn)], 1).reshape(-1)
    np.testing.assert_allclose(keyed_normals(key, stream, 4 * blocks), expected, atol=2e-5)


def test_uniforms_are_uniform_and_a_longer_list_begins_with_the_shorter() -> None:
    numbers = keyed_uniforms(SampleKey(0, 0, 0), 1, 100_000)
    assert stats.kstest(numbers, "uniform").pvalue > 0.01
    assert 0 <= numbers.min() <= numbers.max() < 1
    np.testing.assert_array_equal(keyed_uniforms(SampleKey(0, 0, 0), 1, 7), numbers[:7])


def test_every_part_of_the_key_changes_the_numbers() -> None:
    keys = [((1, 2, 3), "flip"), ((0, 2, 3), "flip"), ((1, 0, 3), "flip"), ((1, 2, 0), "flip"), ((3, 2, 1), "flip")]
    keys += [((1, 2, 3), "noise")]
    numbers = {keyed_uniforms(SampleKey(*key), stream_number(name), 1)[0] for key, name in keys}
    assert len(numbers) == len(keys)
    assert stream_number("noise", 1) != stream_number("noise", 0)


@pytest.mark.parametrize("key", [(-1, 0, 0), (0, -1, 0), (0, 0, 2**32)])
def test_a_key_out_of_range_is_refused(key: tuple[int, int, int]) -> None:
    for draw in (keyed_uniforms, keyed_normals):
        with pytest.raises(ValueError, match="expected whole numbers from 0"):
            draw(SampleKey(*key), 0, 4)
