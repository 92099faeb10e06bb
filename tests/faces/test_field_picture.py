"""Pictures of fields: colours of known displacements, grid lines at known places."""

import numpy as np
import pytest

from src.faces.field_picture import (
    COLUMNS,
    RegistrationPicture,
    field_wheel,
    registration_row,
    registration_sheet,
    warped_grid,
    wheel_legend,
)
from src.faces.grid import image_grid


def _uniform(dx: float, dy: float, height: int = 5, width: int = 7) -> np.ndarray:
    return np.stack([np.full((height, width), dx), np.full((height, width), dy)])


def _is_line(picture: np.ndarray) -> np.ndarray:
    """Pixels of a black picture that a line covers by half or more."""
    return picture[..., 0] > 127


@pytest.mark.parametrize(
    ("dx", "dy", "colour"),
    [
        (0.0, 0.0, (255, 255, 255)),
        (4.0, 0.0, (255, 0, 0)),  # right: the wheel begins with red
        (2.0, 0.0, (255, 128, 128)),  # half as far: half as saturated
        (0.0, 4.0, (255, 234, 0)),  # down: 13.75 of 55, short of yellow at 15
        (-4.0, 0.0, (0, 197, 255)),  # left: 27.5 of 55, behind cyan at 25 and before blue at 36
        (8.0, 0.0, (191, 0, 0)),  # longer than the longest: darkened
    ],
)
def test_colours_of_known_displacements(dx: float, dy: float, colour: tuple[int, int, int]) -> None:
    found = field_wheel(_uniform(dx, dy), 4.0)
    assert found.shape == (5, 7, 3)
    assert {tuple(pixel) for pixel in found.reshape(-1, 3).tolist()} == {colour}


def test_directions_have_colours_of_their_own_and_the_legend_shows_them() -> None:
    side = 65
    legend = wheel_legend(side)
    assert legend.shape == (side, side, 3)
    assert (legend[0, 0] == 255).all()
    assert (legend[side // 2, side // 2] == 255).all()
    angles = np.deg2rad(np.arange(0, 360, 30))
    radius = 0.75 * side / 2
    for angle in angles:
        x, y = (side // 2 + np.rint(radius * np.array([np.cos(angle), np.sin(angle)]))).astype(int)
        shown = field_wheel(_uniform(float(x - side // 2), float(y - side // 2), 1, 1), side / 2)
        assert (legend[y, x] == shown[0, 0]).all()
    ring = field_wheel(np.stack([np.cos(angles), np.sin(angles)])[:, None], 1.0)[0]
    assert len(np.unique(ring, axis=0)) == len(angles)


def test_a_length_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="longest is 0"):
        field_wheel(_uniform(1.0, 0.0), 0)


@pytest.mark.parametrize("scale", [1, 3])
def test_grid_lines_lie_where_the_field_fetches_from(scale: int) -> None:
    black = np.zeros((32, 32, 3), np.uint8)
    still = warped_grid(black, np.zeros((2, 32, 32)), 8, scale)
    moved = warped_grid(black, _uniform(5.0, -2.0, 32, 32), 8, scale)
    assert still.shape == moved.shape == (32 * scale, 32 * scale, 3)
    middle = (scale - 1) // 2
    rows = np.flatnonzero(_is_line(still).sum(axis=1) > 16 * scale)
    columns = np.flatnonzero(_is_line(still).sum(axis=0) > 16 * scale)
    assert rows.tolist() == columns.tolist() == [scale * line + middle for line in (4, 12, 20, 28)]
    inside = _is_line(still)[2 * scale :, : -5 * scale]
    np.testing.assert_array_equal(_is_line(moved)[: -2 * scale, 5 * scale :], inside)


def test_a_row_has_every_picture_and_a_sheet_the_wheel() -> None:
    rng = np.random.default_rng(0)
    moving, fixed, warped = (rng.integers(0, 256, (16, 16, 3), dtype=np.uint8) for _ in range(3))
    shown = RegistrationPicture(moving, fixed, warped, _uniform(1.0, 0.0, 16, 16))
    row = registration_row(shown, 2, scale=2)
    assert len(row) == len(COLUMNS)
    for found, face in zip(row, [moving, fixed, warped, field_wheel(shown.field, 2)], strict=False):
        np.testing.assert_array_equal(found[::2, ::2], face)
        np.testing.assert_array_equal(found[1::2, 1::2], face)
    np.testing.assert_array_equal(row[4], warped_grid(moving, shown.field, 2, 2))
    sheet = registration_sheet([shown, shown], ["none", "dense"], 2, scale=2)
    expected = image_grid([[*row, wheel_legend(32)], row], [*COLUMNS, "rim: 2 px"], ["none", "dense"])
    np.testing.assert_array_equal(sheet, expected)
    with pytest.raises(ValueError, match="row labels"):
        registration_sheet([shown], ["a", "b"], 2)
