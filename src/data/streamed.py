"""A packed store in an object storage as a source: each face is one range of bytes, fetched through fsspec."""

import hashlib
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from src.data.fetched_images import FetchedImages
from src.data.image_file import DamagedImage
from src.data.packed_store import FORMAT, IMAGES, INDEX, STORE, PackedFace, StoreFacts
from src.data.resized import resized
from src.data.splits import SPLITS, checked_split
from src.settings.data import StreamedSettings
from src.settings.errors import UserError


class StreamedFaces:
    """The faces of one split of a packed store (`FaceSource`), in the order packed; pickled by its arguments.

    Every fetched face is compared with its hash in the index. A smaller `size` averages areas.

    Raises:
        UserError: the storage cannot be reached, or holds no packed store; the split is empty; `size` is larger than the
            stored faces; the cache has no room.
    """

    def __init__(self, settings: StreamedSettings, *, split: str, size: int) -> None:
        self._settings, self._split, self.size = settings, checked_split(split), size
        self._facts, self._index = read_remote_index(settings.root)
        self._rows = [row for row, face in enumerate(self._index) if face.split == split]
        if not self._rows:
            raise UserError(f"data: the {split} split of {settings.root} is empty; pack a source that has one")
        if size > self._facts.size:
            raise UserError(
                f"data.root: {settings.root} holds faces of {self._facts.size} pixels, {size} are asked for; pack them at "
                f"{size} pixels, or choose a smaller scale"
            )
        self._kept: FetchedImages | None = None
        if settings.cache is not None:
            folder = Path(settings.cache).expanduser() / self._facts.index_sha256[:16]
            self._kept = FetchedImages(folder, self._facts.count, self._facts.size)

    @property
    def identities(self) -> int:
        """Number of identities in this split."""
        return len({self._index[row].identity for row in self._rows})

    def __len__(self) -> int:
        return len(self._rows)

    def image(self, index: int) -> UInt8[np.ndarray, "s s 3"]:
        """The face as RGB.

        Raises:
            UserError: the storage cannot be reached; as `DamagedImage`, the face is not the one that was packed.
        """
        row = self._row(index)
        stored = self._fetched(row) if self._kept is None else self._kept.get(row, lambda: self._fetched(row))
        return resized(stored, self.size)

    def name(self, index: int) -> str:
        """The name under which it was packed."""
        return self._index[self._row(index)].name

    def identity(self, index: int) -> int:
        """Label of the identity, 0 .. identities - 1."""
        return self._index[self._row(index)].identity

    def landmarks(self, index: int) -> Float32[np.ndarray, "5 2"] | None:
        """Five points as (x, y), scaled with the face; None if it has none."""
        points = self._index[self._row(index)].landmarks
        if points is None:
            return None
        return np.array(points, np.float32) * np.float32(self.size / self._facts.size)

    def fingerprint(self) -> str:
        """SHA-256 over the index: that of the packed store, wherever it lies."""
        return self._facts.index_sha256

    def _row(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(f"face {index} of {len(self)}")
        return self._rows[index]

    def _fetched(self, row: int) -> UInt8[np.ndarray, "s s 3"]:
        size = self._facts.size
        nbytes = size * size * 3
        data = _read(self._settings.root, IMAGES, row * nbytes, (row + 1) * nbytes)
        face = self._index[row]
        if hashlib.sha256(data).hexdigest() != face.sha256:
            raise DamagedImage(
                f"{self._settings.root}: {face.name} is not the face that was packed; copy {IMAGES} to the storage again"
            )
        return np.frombuffer(data, np.uint8).reshape(size, size, 3).copy()

    def __reduce__(self) -> tuple[Any, tuple[StreamedSettings, str, int]]:
        return _reopened, (self._settings, self._split, self.size)


def count_faces(settings: StreamedSettings) -> dict[str, tuple[int, int]]:
    """(images, identities) of every split.

    Raises:
        UserError: see `read_remote_index`.
    """
    _, index = read_remote_index(settings.root)
    people = {split: [face.identity for face in index if face.split == split] for split in SPLITS}
    return {split: (len(found), len(set(found))) for split, found in people.items()}


def read_remote_index(root: str) -> tuple[StoreFacts, list[PackedFace]]:
    """What a packed store at an address holds.

    Raises:
        UserError: the storage cannot be reached, or holds no packed store, a damaged one, or one of another format.
    """
    try:
        facts = StoreFacts(**json.loads(_read(root, STORE)))
        if facts.format != FORMAT:
            raise UserError(f"data.root: {root} has format {facts.format}, expected {FORMAT}; pack the faces again")
        content = _read(root, INDEX)
        if hashlib.sha256(content).hexdigest() != facts.index_sha256:
            raise UserError(
                f"data.root: {root}/{INDEX} is not the index that was written with the store; copy it again"
            )
        return facts, [PackedFace(**row) for row in json.loads(content)]
    except (ValueError, TypeError) as error:
        raise UserError(f"data.root: {root}/{STORE} is damaged ({error}); copy the store again") from None


def _read(root: str, name: str, start: int | None = None, end: int | None = None) -> bytes:
    try:
        storage, folder = _storage(root, os.getpid())
        return bytes(storage.cat_file(f"{folder}/{name}", start=start, end=end))
    except FileNotFoundError:
        raise UserError(
            f"data.root: {root} holds no finished packed store ({name} is missing); copy it there"
        ) from None
    except OSError as error:
        raise UserError(
            f"data.root: {root}/{name} cannot be read ({error}); look at the address and credentials"
        ) from None


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
