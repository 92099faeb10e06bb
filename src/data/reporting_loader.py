"""A loader that hands on what a user did wrong as it is, whichever process found it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

from torch.utils.data import DataLoader, Dataset

from src.data.lost_loader import LostLoaderError
from src.settings.errors import UserError

END: Final = object()
"""Stands behind the last batch, which may be None."""


@runtime_checkable
class Samples(Protocol):
    """What has a number of samples, each under a key."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any, /) -> Any: ...


class ReportingLoader(DataLoader):
    """Batches of `samples` by the keys of a batch sampler; takes the other options of `DataLoader` as well.

    Raises:
        UserError: a sample raised it. By torch's own way, its text would be the traceback of the loader process.
        LostLoaderError: a loader process was killed, and the memory of its batches went with it.
    """

    def __init__(self, samples: Samples, *, collate: Callable[[Sequence[Any]], Any], **options: Any) -> None:
        super().__init__(_Samples(samples), collate_fn=_Collated(collate), **options)

    def __iter__(self) -> Any:
        """Batch after batch."""
        batches = super().__iter__()
        while (batch := self._next_of(batches)) is not END:
            if isinstance(batch, UserError):
                raise batch
            yield batch

    def _next_of(self, batches: Any) -> Any:
        try:
            return next(batches, END)
        except (ConnectionError, EOFError, FileNotFoundError) as error:
            # Batches lie in memory that a process fetches from the one that made them, or else a sample raised it.
            if self.num_workers == 0 or "in DataLoader worker process" in str(error):
                raise
            raise LostLoaderError(getattr(error, "strerror", None) or type(error).__name__) from error


@dataclass(frozen=True)
class _Samples(Dataset[Any]):
    """A data set that gives the samples of a batch, or the first error among them as a value."""

    samples: Samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitems__(self, keys: Sequence[Any]) -> list[Any] | UserError:
        try:
            return [self.samples[key] for key in keys]
        except UserError as error:
            return error


@dataclass(frozen=True)
class _Collated:
    """A batch, or the error that came instead of its samples."""

    collate: Callable[[Sequence[Any]], Any]

    def __call__(self, samples: Sequence[Any] | UserError) -> Any:
        return samples if isinstance(samples, UserError) else self.collate(samples)
