"""A function applied to many indices by several processes, its results in order."""

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from src.data.loader_process import one_thread

Result = TypeVar("Result")


def in_order(function: Callable[[int], Result], indices: Sequence[int], workers: int) -> Iterator[Result]:
    """`function` of every index, in the order of `indices`; arrays in the results should be tensors, which are shared.

    With 0 workers in this process, else in so many loader processes, which end when this one is killed.

    Raises:
        UserError: the function raised it.
        LostLoaderError: a loader process was killed, where torch does not say so elsewhere; see `told_loss`.
    """
    if workers == 0:
        yield from map(function, indices)
        return
    from src.data.reporting_loader import ReportingLoader

    calls = _Calls(function, indices)
    yield from ReportingLoader(calls, collate=_only, batch_size=1, num_workers=workers, worker_init_fn=one_thread)


class _Calls(Generic[Result]):
    """What a loader takes for a data set."""

    def __init__(self, function: Callable[[int], Result], indices: Sequence[int]) -> None:
        self._function, self._indices = function, indices

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, place: int) -> Result:
        return self._function(self._indices[place])


def _only(results: Sequence[Result]) -> Result:
    return results[0]
