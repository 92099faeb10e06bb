"""What a parameter of an operation may be, and how it is read from plain data. Imports neither OpenCV nor torch."""

import math
from dataclasses import dataclass, field
from typing import Any

Range = tuple[float, float]
"""Lowest and highest value of a uniform draw."""
Weights = tuple[tuple[str, float], ...]
"""Alternatives and their probabilities, which sum to 1."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """A range [lowest, highest], or one number for both, within `low` and `high`."""

    low: float
    high: float
    unit: str
    source: str
    odd: bool = False
    """Only odd whole numbers."""

    def read(self, value: Any) -> Range:
        """Plain data as the operation holds it: lowest and highest. Raises ValueError with what was expected."""
        pair = (value, value) if is_number(value) else value
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not all(map(is_number, pair)):
            raise ValueError(f"two numbers [lowest, highest] within {self._allowed()}")
        lowest, highest = float(pair[0]), float(pair[1])
        if lowest > highest:
            raise ValueError("the lowest value first; swap the two")
        if lowest < self.low or highest > self.high:
            raise ValueError(f"values within {self._allowed()}")
        if self.odd and any(end % 2 != 1 for end in (lowest, highest)):
            raise ValueError(f"odd whole numbers within {self._allowed()}")
        return lowest, highest

    def plain(self, value: Range) -> list[float]:
        """The opposite of `read`, for hashes and manifests: [lowest, highest]."""
        return list(value)

    def texts(self, value: Range) -> list[str]:
        """The value as a table shows it, in one or more lines: [lowest, highest], or the one value."""
        return [f"{value[0]:g}" if value[0] == value[1] else f"[{value[0]:g}, {value[1]:g}]"]

    def _allowed(self) -> str:
        return f"[{self.low:g}, {'any' if math.isinf(self.high) else format(self.high, 'g')}]"


@dataclass(frozen=True, kw_only=True)
class Probability:
    """A number between 0 and 1."""

    source: str
    unit: str = "probability"

    def read(self, value: Any) -> float:
        """The number."""
        if not is_number(value) or not 0 <= value <= 1:
            raise ValueError("a number between 0 and 1")
        return float(value)

    def plain(self, value: float) -> float:
        """Itself."""
        return value

    def texts(self, value: float) -> list[str]:
        """The number."""
        return [f"{value:g}"]


@dataclass(frozen=True, kw_only=True)
class Alternatives:
    """Weights of named alternatives, `{bilinear: 0.7, area: 0.3}`, or the name of the only one."""

    names: tuple[str, ...]
    source: str
    unit: str = "share"

    def read(self, value: Any) -> Weights:
        """Alternatives with a weight above 0, in the order of `names`, weights summing to 1."""
        weights = {value: 1.0} if isinstance(value, str) else value
        if not isinstance(weights, dict) or any(name not in self.names for name in weights):
            raise ValueError(f"one of, or weights of, {', '.join(self.names)}")
        if not all(is_number(weight) and weight >= 0 for weight in weights.values()) or not sum(weights.values()) > 0:
            raise ValueError("weights of 0 or more that are not all 0")
        total = sum(weights.values())
        return tuple((name, weights[name] / total) for name in self.names if weights.get(name, 0) > 0)

    def plain(self, value: Weights) -> dict[str, float]:
        """Name to weight."""
        return dict(value)

    def texts(self, value: Weights) -> list[str]:
        """The only name, or each with its weight."""
        return [value[0][0]] if len(value) == 1 else [f"{name} {weight:.3g}" for name, weight in value]


@dataclass(frozen=True, kw_only=True)
class Flag:
    """True or false."""

    source: str
    unit: str = "yes or no"

    def read(self, value: Any) -> bool:
        """The flag."""
        if not isinstance(value, bool):
            raise ValueError("true or false")
        return value

    def plain(self, value: bool) -> bool:
        """Itself."""
        return value

    def texts(self, value: bool) -> list[str]:
        """yes or no."""
        return ["yes" if value else "no"]


Kind = Limits | Probability | Alternatives | Flag


def is_number(value: Any) -> bool:
    """Whether a value is a finite number (true and false are none)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def limits(
    low: int | float, high: int | float, unit: str, source: str, default: Range | None = None, odd: bool = False
) -> Any:
    """Declares a dataclass field that holds a `Range`."""
    return _parameter(Limits(low=float(low), high=float(high), unit=unit, source=source, odd=odd), default)


def probability(source: str, default: float | None = None) -> Any:
    """Declares a dataclass field that holds a probability."""
    return _parameter(Probability(source=source), default)


def alternatives(names: tuple[str, ...], source: str, default: str | None = None) -> Any:
    """Declares a dataclass field that holds `Weights`; `default` names the only alternative."""
    return _parameter(Alternatives(names=names, source=source), None if default is None else ((default, 1.0),))


def flag(source: str, default: bool) -> Any:
    """Declares a dataclass field that holds a flag."""
    return _parameter(Flag(source=source), default)


def _parameter(kind: Kind, default: Any) -> Any:
    metadata = {"kind": kind}
    return field(metadata=metadata) if default is None else field(default=default, metadata=metadata)
