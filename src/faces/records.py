"""Factors as NumPy records: compiled code receives them as one pointer, which shortens compilation.

Compiled functions read a record's fields as they would a named tuple's; colours are read with `rgb`.
"""

from functools import cache
from typing import Any, get_type_hints

import numpy as np

from src.compiled import inline
from src.faces.factors import Colour


@cache
def _layout(kind: type) -> np.dtype:
    fields: list[Any] = []
    for name, hint in get_type_hints(kind).items():
        if hint is float or hint is int:
            fields.append((name, np.float64 if hint is float else np.int64))
        elif hint == Colour:
            fields.append((name, np.float64, (3,)))
        else:
            fields.append((name, _layout(hint)))
    return np.dtype(fields, align=True)


def record(factors: tuple[Any, ...]) -> Any:
    """The NumPy record with the fields of a named tuple of numbers, colours and named tuples."""
    return np.array([factors], _layout(type(factors)))[0]


@inline
def rgb(field: Colour) -> Colour:
    """A colour of a record as a tuple."""
    return field[0], field[1], field[2]
