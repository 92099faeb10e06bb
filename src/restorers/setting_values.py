"""Checks of single values of a setting, whose type a configuration cannot know since lists of them are allowed too."""

from typing import Any

from src.settings.errors import UserError


def one_of(key: str, value: Any, allowed: tuple[str, ...]) -> str:
    """`value` itself. Raises UserError unless it is a name in `allowed`."""
    if value not in allowed:
        raise UserError(f"{key}: {value!r} is not one of {', '.join(allowed)}")
    return str(value)


def count(key: str, value: Any) -> int:
    """`value` itself. Raises UserError unless it is a whole number from 1 on."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UserError(f"{key}: {value!r} must be a whole number from 1 on")
    return value


def number(key: str, value: Any) -> float:
    """`value` as a float. Raises UserError unless it is a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{key}: {value!r} is no number")
    return float(value)


def listed(key: str, value: Any) -> list[Any]:
    """The values that are asked for, of one or of a list. Raises UserError if the list is empty."""
    values = list(value) if isinstance(value, list | tuple) else [value]
    if not values:
        raise UserError(f"{key}: [] names nothing; give a value, a list of them, or null for the published one")
    return values
