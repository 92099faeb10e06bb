"""A function applied to many indices by several processes, its results in order."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from src.data.loader_process import one_thread
from src.settings.errors import UserError

Result = TypeVar("Result")


def in_order(function: Callable[[int], Result], indices: Sequence[int], workers: int) -> Iterator[Result]:
    """`function` of every index, in the order of `indices`; arrays in the results should be tensors, which are shared.

    With 0 workers in this process, else in so many loader processes, which end when this one is killed.

    Raises:
        UserError: the function raised it.
    """
    if workers == 0:
        yield from map(function, indices)
        return
    from torch.utils.data import DataLoader

    calls: Any = _Calls(function, indices)
    loader: Any = DataLoader(
        calls, batch_size=None, num_workers=workers, collate_fn=_as_it_is, worker_init_fn=one_thread
    )
    for result in loader:
        if isinstance(result, UserError):
            raise result
        yield result


class _Calls(Generic[Result]):
    """What a loader takes for a data set."""

    def __init__(self, function: Callable[[int], Result], indices: Sequence[int]) -> None:
        self._function, self._indices = function, indices

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, place: int) -> Result | UserError:
        try:
            return self._function(self._indices[place])
        except UserError as error:
            return error  # raised here, it would arrive with the loader's traceback in its text


def _as_it_is(result: Any) -> Any:
    return result
