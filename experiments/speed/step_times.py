"""Time by step of a chain that runs each of its steps inside `step(<name>)`."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

Step = Callable[[str], AbstractContextManager[None]]


def untimed(name: str) -> AbstractContextManager[None]:
    """The hook that measures nothing."""
    return nullcontext()


@dataclass
class StepTimes:
    """The hook that adds up seconds by step (`seconds`)."""

    seconds: dict[str, float] = field(default_factory=dict)

    def __call__(self, name: str) -> AbstractContextManager[None]:
        """A context whose time counts for the step."""
        return _Measured(self.seconds, name)


class _Measured(AbstractContextManager[None]):
    def __init__(self, seconds: dict[str, float], name: str) -> None:
        self._seconds, self._name = seconds, name
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        spent = time.perf_counter() - self._start
        self._seconds[self._name] = self._seconds.get(self._name, 0.0) + spent
