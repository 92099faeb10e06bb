"""Contact sheets."""

import numpy as np
import pytest

from src.faces import image_grid


def _flat(value: int, height: int = 20, width: int = 30) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def test_plain_grid_places_every_picture() -> None:
    grid = image_grid([[_flat(10), _flat(20)], [_flat(30)]], gap=3)
    assert grid.shape == (2 * 20 + 3 * 3, 2 * 30 + 3 * 3, 3)
    assert (grid[3:23, 3:33] == 10).all()
    assert (grid[3:23, 36:66] == 20).all()
    assert (grid[26:46, 3:33] == 30).all()
    assert (grid[26:46, 36:66] == 255).all()
    assert (grid[:3] == 255).all()


def test_scale_repeats_pixels() -> None:
    picture = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    grid = image_grid([[picture]], gap=0, scale=4)
    np.testing.assert_array_equal(grid, picture.repeat(4, 0).repeat(4, 1))


def test_pictures_take_the_size_of_the_first() -> None:
    ramp = np.tile(np.arange(40, dtype=np.uint8)[:, None, None], (1, 60, 3))
    grid = image_grid([[_flat(10), ramp, _flat(7, 10, 15)]], gap=0)
    np.testing.assert_array_equal(grid[:, 30:60, 0], np.tile((2 * np.arange(20) + 1)[:, None], (1, 30)))
    assert (grid[:, 60:] == 7).all()


def test_labels_are_not_cut() -> None:
    labels = ["a label far wider than thirty pixels", "b"]
    grid = image_grid([[_flat(9), _flat(9)], [_flat(9), _flat(9)]], labels, ["first row", "second, longer row"])
    ink = (grid < 200).all(2) & (grid[..., 0] != 9)
    assert ink.any()
    rows, columns = np.nonzero(ink)
    assert rows.min() > 0
    assert columns.min() > 0
    assert columns.max() < grid.shape[1] - 1
    assert rows.max() < grid.shape[0] - 1
    assert (grid == 9).all(2).sum() == 4 * 20 * 30


def test_a_long_label_is_broken_where_it_can_be_and_widens_its_column_for_the_longest_part_only() -> None:
    picture = _flat(9, 64, 64)
    unlabelled = image_grid([[picture]]).shape
    parts = ["solver", "t0.4", "k10", "g0.3", "learned"]
    broken = image_grid([[picture]], ["-".join(parts)])
    assert broken.shape[1] == unlabelled[1]
    one, four = (image_grid([[picture]], [" ".join(["wordword"] * lines)]).shape[0] for lines in (1, 4))
    assert unlabelled[0] < one < four
    wide = image_grid([[picture, picture]], ["unbreakable_setting-" * 3, "b"])
    assert wide.shape[1] == image_grid([[picture, picture]], ["unbreakable_setting-", "b"]).shape[1]


def test_bad_rows() -> None:
    with pytest.raises(ValueError, match="no pictures"):
        image_grid([])
    with pytest.raises(ValueError, match="column labels"):
        image_grid([[_flat(1)]], ["a", "b"])
    with pytest.raises(ValueError, match="row labels"):
        image_grid([[_flat(1)]], (), ["a", "b"])
