"""A packed store in an object storage as a source: each face is one range of bytes, fetched through fsspec."""

import hashlib
import os
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from src.data.fetched_images import FetchedImages
from src.data.image_file import DamagedImage
from src.data.indexed_faces import IndexedFaces, count_indexed
from src.data.packed_store import IMAGES, INDEX, STORE, PackedFace, StoreFacts, faces_of, facts_of
from src.settings.data import StreamedSettings
from src.settings.errors import UserError

PAUSES = (0.5, 2.0, 8.0)
"""Seconds until a storage that did not answer is asked again."""


class StreamedFaces(IndexedFaces):
    """The faces of one split of a packed store at an address; pickled by its arguments.

    Every fetched face is compared with its hash in the index.

    Raises:
        UserError: see `read_remote_index` and `IndexedFaces`; the cache has no room.
    """

    def __init__(self, settings: StreamedSettings, *, split: str, size: int) -> None:
        self._settings, self._split = settings, split
        facts, index = read_remote_index(settings.root)
        super().__init__(facts, index, where=settings.root, split=split, size=size)
        self._kept: FetchedImages | None = None
        if settings.cache is not None:
            folder = Path(settings.cache).expanduser() / facts.index_sha256[:16]
            self._kept = FetchedImages(folder, facts.count, facts.size)

    def _stored(self, row: int) -> UInt8[np.ndarray, "a a 3"]:
        """Raises UserError if the storage cannot be reached; DamagedImage if the face is not the one that was packed."""
        return self._fetched(row) if self._kept is None else self._kept.get(row, lambda: self._fetched(row))

    def _fetched(self, row: int) -> UInt8[np.ndarray, "a a 3"]:
        size = self._facts.size
        nbytes = size * size * 3
        data = _read(self._settings.root, IMAGES, row * nbytes, (row + 1) * nbytes)
        face = self._index[row]
        if len(data) != nbytes or hashlib.sha256(data).hexdigest() != face.sha256:
            raise DamagedImage(
                f"{self._settings.root}: {face.name} is not the face that was packed; copy {IMAGES} to the storage again"
            )
        return np.frombuffer(data, np.uint8).reshape(size, size, 3)

    def __reduce__(self) -> tuple[Any, tuple[StreamedSettings, str, int]]:
        return _reopened, (self._settings, self._split, self.size)


def count_faces(settings: StreamedSettings) -> dict[str, tuple[int, int]]:
    """(images, identities) of every split.

    Raises:
        UserError: see `read_remote_index`.
    """
    return count_indexed(read_remote_index(settings.root)[1])


def read_remote_index(root: str) -> tuple[StoreFacts, list[PackedFace]]:
    """What a packed store at an address holds.

    Raises:
        UserError: the storage cannot be reached, or holds no packed store, a damaged one, or one of another format.
    """
    facts = facts_of(_read(root, STORE), f"data.root: {root}/{STORE}")
    return facts, faces_of(_read(root, INDEX), facts, f"data.root: {root}/{INDEX}")


def _read(root: str, name: str, start: int | None = None, end: int | None = None) -> bytes:
    """A file of the store, or a range of it; what fails for the moment is asked for again, after ever longer pauses."""
    pauses = iter(PAUSES)
    while True:
        try:
            return _asked(root, name, start, end)
        except FileNotFoundError:
            raise UserError(
                f"data.root: {root} holds no finished packed store ({name} is missing); copy it there"
            ) from None
        except OSError as error:
            pause = None if isinstance(error, PermissionError) else next(pauses, None)
            if pause is None:
                raise UserError(
                    f"data.root: {root}/{name} cannot be read ({error}); look at the address and credentials"
                ) from None
            time.sleep(pause)


def _asked(root: str, name: str, start: int | None, end: int | None) -> bytes:
    storage, folder = _storage(root, os.getpid())
    return bytes(storage.cat_file(f"{folder}/{name}", start=start, end=end))


@lru_cache(maxsize=8)
def _storage(root: str, process: int) -> tuple[Any, str]:
    """fsspec's file system and the folder in it; a forked process must not use its parent's connections."""
    import fsspec

    try:
        storage, folder = fsspec.core.url_to_fs(root)
    except ImportError as error:
        raise UserError(
            f"data.root: {root} needs a package that is missing ({error}); for s3:// pip install s3fs, for gs:// gcsfs, "
            "for az:// adlfs"
        ) from None
    except ValueError as error:
        raise UserError(
            f"data.root: {root} is no address of a storage ({error}); give for example s3://bucket/folder"
        ) from None
    return storage, folder.rstrip("/")


def _reopened(settings: StreamedSettings, split: str, size: int) -> StreamedFaces:
    return StreamedFaces(settings, split=split, size=size)
