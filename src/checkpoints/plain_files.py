"""Reading of files that others made: regular ones alone, up to a size, and JSON up to a depth."""

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

LARGEST = 2**30
"""Bytes beyond which no file is read whole."""
DEEPEST = 100
"""Lists and objects within each other: far from where Python stops those who go through them."""


def read_regular(path: Path, largest: int = LARGEST) -> bytes:
    """The content of a file.

    Raises:
        OSError: it cannot be read, is none (a pipe or a device would be read for ever), or has more than `largest` bytes.
    """
    check_regular(path, largest)
    return path.read_bytes()


def check_regular(path: Path, largest: int | None = None) -> None:
    """Raises OSError as `read_regular` does, without reading."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        number = errno.EISDIR if stat.S_ISDIR(found.st_mode) else errno.EINVAL
        raise OSError(number, os.strerror(number) if number == errno.EISDIR else "it is no regular file", str(path))
    if largest is not None and found.st_size > largest:
        raise OSError(errno.EFBIG, f"it has {found.st_size:,} bytes, more than {largest:,}", str(path))


def read_json(path: Path) -> Any:
    """The content of a JSON file in UTF-8.

    Raises:
        OSError: as `read_regular`.
        ValueError: it is no JSON, or nested too deeply.
    """
    return parsed_json(read_regular(path))


def parsed_json(content: bytes | str) -> Any:
    """What a JSON text says.

    Raises:
        ValueError: it is no JSON, or nested too deeply.
    """
    try:
        value = json.loads(content if isinstance(content, str) else content.decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    """Raises ValueError where a value is nested more than `DEEPEST` deep."""
    level: list[dict | list] = [[value]]
    for _ in range(DEEPEST + 1):
        level = [inner for item in level for inner in _nested_in(item)]
    if level:
        raise ValueError(f"it is nested more than {DEEPEST} deep")


def _nested_in(value: dict | list) -> list[dict | list]:
    inside = value.values() if isinstance(value, dict) else value
    return [inner for inner in inside if isinstance(inner, dict | list)]
