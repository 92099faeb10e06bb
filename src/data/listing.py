"""Rows about the files of a source, as a table or a published layout gives them."""

from dataclasses import dataclass

POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
LANDMARK_COLUMNS = tuple(f"{point}_{axis}" for point in POINTS for axis in "xy")


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Rows with a column `file` and optional columns split, identity, lookalike_group and `LANDMARK_COLUMNS`."""

    rows: list[dict[str, str]]
    where: str
    """Where they come from, in messages."""
    notices: tuple[str, ...] = ()
    """Sentences on what is missing."""
    landmark_side: int | None = None
    """Side of the images that the landmarks refer to, pixels; None if it is each file's own."""
