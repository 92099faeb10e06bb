"""Objects that run code when they are unpickled the usual way."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


class RunsCode:
    """Makes a folder while it is unpickled, or whatever else `callable_` does with the path."""

    def __init__(self, trace: Path, callable_: Callable[..., Any] = os.mkdir) -> None:
        self._trace, self._callable = trace, callable_

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return self._callable, (str(self._trace),)


class Allocates:
    """Asks for `count` bytes while it is unpickled, by a builtin that readers of tensors allow."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __reduce__(self) -> tuple[type, tuple[int]]:
        return bytearray, (self._count,)
