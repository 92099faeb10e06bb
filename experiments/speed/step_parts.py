"""Splits a training step into its named parts: the `record_function` spans that the stages have for profilers."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch.profiler import record_function
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

SPANS = ("perceptual", "adversarial", "adaptive_weight", "backward", "optimizer", "weight_average", "discriminator")
FORWARD = "forward"
PARTS = (FORWARD, *SPANS)
"""`forward` is what lies in no span: the stage's networks with the frozen ones, the other losses, the guard."""


class OpenSpan:
    """Which part a step is in: the outermost of the open spans, so that a discriminator's backward pass is its own."""

    def __init__(self) -> None:
        self._open: list[str] = []

    @property
    def part(self) -> str:
        """One of `PARTS`."""
        return self._open[0] if self._open else FORWARD

    @contextmanager
    def followed(self) -> Iterator[None]:
        """While open, spans are heard."""
        enter, leave = record_function.__enter__, record_function.__exit__

        def entered(span: record_function) -> Any:
            if span.name in SPANS:
                self._change(lambda: self._open.append(span.name))
            return enter(span)

        def left(span: record_function, *error: Any) -> None:
            leave(span, *error)
            if span.name in SPANS:
                self._change(self._open.pop)

        with mock.patch.multiple(record_function, __enter__=entered, __exit__=left):
            yield

    def _change(self, change: Any) -> None:
        change()


class PartSeconds(OpenSpan):
    """Seconds by part of one step after the other. On a GPU the host waits at every border, so that sums are larger."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self._device = device
        self.steps: list[dict[str, float]] = []

    @contextmanager
    def step(self) -> Iterator[None]:
        """One step."""
        self.steps.append(dict.fromkeys(PARTS, 0.0))
        self._since = now(self._device)
        with self.followed():
            yield
        self._count()

    def _change(self, change: Any) -> None:
        self._count()
        change()

    def _count(self) -> None:
        time_now = now(self._device)
        self.steps[-1][self.part] += time_now - self._since
        self._since = time_now


class PartFlops(TorchDispatchMode):
    """FLOPs by part, two per multiply-add, with the formulas of torch.utils.flop_counter.

    (`FlopCounterMode` itself follows modules by hooks, which a gradient with respect to an input refuses.)
    """

    def __init__(self) -> None:
        super().__init__()
        self._span = OpenSpan()
        self.flops: Counter[str] = Counter()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """While open, operators are counted."""
        with self._span.followed(), self:
            yield

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run and count an operator."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if formula := flop_registry.get(func._overloadpacket):
            self.flops[self._span.part] += formula(*args, **kwargs, out_val=result)
        return result


def now(device: torch.device) -> float:
    """Seconds of a clock, after all that the device was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
