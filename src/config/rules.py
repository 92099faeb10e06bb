"""Rules of single values: each yields a sentence with the key and the value where it is broken."""

from collections.abc import Iterator

from src.settings.printable import is_plain

LONGEST_NAME = 200
"""Bytes of a folder's name that leave room for what is added to it; file systems take 255."""


def choice(key: str, value: object, allowed: tuple[object, ...]) -> Iterator[str]:
    """The value is one of those allowed."""
    if value not in allowed:
        yield f"{key}: {value!r} is not one of {', '.join(map(str, allowed))}"


def positive(key: str, value: int | float) -> Iterator[str]:
    """The value is greater than 0."""
    if not value > 0:  # NaN neither
        yield f"{key}: {value} must be greater than 0"


def at_least(key: str, value: int, low: int) -> Iterator[str]:
    """The value is `low` or more."""
    if value < low:
        yield f"{key}: {value} must be {low} or more"


def multiple(key: str, value: int, divisor_key: str, divisor: int) -> Iterator[str]:
    """The value is a positive multiple of a divisor, which is a setting too."""
    if divisor < 1:
        yield f"{divisor_key}: {divisor} must be 1 or more"
    elif value < 1 or value % divisor:
        yield f"{key}: {value} must be a multiple of {divisor_key} {divisor}, greater than 0"


def seed(key: str, value: int) -> Iterator[str]:
    """The value is a seed of every generator in use."""
    if not 0 <= value < 2**32:
        yield f"{key}: {value} must be a whole number from 0 to 2**32 - 1"


def within(key: str, value: int | float, low: int | float, high: int | float) -> Iterator[str]:
    """The value lies in [low, high]."""
    if not low <= value <= high:
        yield f"{key}: {value} must lie in [{low:g}, {high:g}]"


def ordered(key: str, pair: list[float]) -> Iterator[str]:
    """The pair is [lowest, highest]."""
    if len(pair) != 2 or not pair[0] <= pair[1]:
        yield f"{key}: {pair} must be [lowest, highest]"


def unit_pair(key: str, pair: list[float]) -> Iterator[str]:
    """The pair lies in [0, 1)."""
    if len(pair) != 2 or not all(0 <= value < 1 for value in pair):
        yield f"{key}: {pair} must be two values in [0, 1)"


def folder_name(key: str, value: str) -> Iterator[str]:
    """`value` is to name a folder, on any file system and in any terminal."""
    if value in ("", ".", "..") or "/" in value:
        yield f"{key}: {value!r} names a folder; it must not be empty, a dot or two, or contain a slash"
    elif not is_plain(value):
        yield f"{key}: {value!r} names a folder; it must not contain line breaks or characters that cannot be printed"
    elif len(value.encode()) > LONGEST_NAME:
        yield f"{key}: {value[:40]!r}... names a folder; it must not be longer than {LONGEST_NAME} bytes"
