"""A packed store: decoded faces end to end in one file that is memory-mapped, with an index of what they are.

`images.bin` holds the pixels (uint8, n x s x s x 3), `index.json` a row a face with the SHA-256 of its pixels, `store.json`
what made them. `store.json` is written last: a folder without it is unfinished.
"""

import hashlib
import json
import mmap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from tqdm import tqdm

from src.checkpoints.plain_files import parsed_json, read_regular
from src.settings.errors import UserError
from src.settings.printable import is_plain

FORMAT = 1
IMAGES, INDEX, STORE = "images.bin", "index.json", "store.json"


@dataclass(frozen=True, kw_only=True)
class PackedFace:
    """One row of the index."""

    name: str
    split: str
    identity: int
    """Label within the split."""
    landmarks: list[list[float]] | None
    """Five points (x, y), pixels of the stored face."""
    sha256: str
    """Of the stored pixels."""


@dataclass(frozen=True, kw_only=True)
class StoreFacts:
    """What `store.json` tells."""

    format: int
    count: int
    size: int
    """Side of every face, pixels."""
    source: str
    """Fingerprint of what was packed."""
    index_sha256: str
    libraries: dict[str, str]
    """Versions of what decoded and resized the faces."""


class PackedStore:
    """A finished store, memory-mapped; pickled as its folder, so that loader processes share the pages.

    Raises:
        UserError: the folder is no store, is unfinished, of another format, or a file is cut short or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts = _read_facts(folder)
        self.index = faces_of(_content(folder / INDEX), self.facts, str(folder / INDEX))
        self._mapped = _map(folder / IMAGES, self.facts)
        shape = (self.facts.count, self.facts.size, self.facts.size, 3)
        self.images: UInt8[np.ndarray, "n s s 3"] = np.frombuffer(self._mapped, np.uint8).reshape(shape)

    def __reduce__(self) -> tuple[type["PackedStore"], tuple[Path]]:
        return PackedStore, (self.folder,)

    def image(self, row: int) -> UInt8[np.ndarray, "s s 3"]:
        """A view of a face, whose pages are asked for together."""
        nbytes = self.facts.size**2 * 3
        start = row * nbytes // mmap.PAGESIZE * mmap.PAGESIZE
        self._mapped.madvise(mmap.MADV_WILLNEED, start, (row + 1) * nbytes - start)
        return self.images[row]

    def differing(self, rows: Sequence[int]) -> Iterator[str]:
        """Names of the faces whose pixels no longer have the hash of the index."""
        for row in tqdm(rows, desc=f"checking {len(rows):,} faces", unit="face", leave=False, disable=None):
            if hashlib.sha256(self.image(row).tobytes()).hexdigest() != self.index[row].sha256:
                yield self.index[row].name


def index_text(faces: Sequence[PackedFace]) -> str:
    """The index as it is written."""
    return json.dumps([asdict(face) for face in faces], indent=0) + "\n"


def store_text(facts: StoreFacts) -> str:
    """The facts as they are written."""
    return json.dumps(asdict(facts), indent=2) + "\n"


def facts_of(data: bytes, where: str) -> StoreFacts:
    """What the content of a `store.json` tells, which messages call `where`.

    Raises:
        UserError: it is damaged, or of another format.
    """
    try:
        content: Any = parsed_json(data)
        facts = StoreFacts(**content)
        _check_numbers(facts)
    except (ValueError, TypeError) as error:
        raise UserError(f"{where}: is damaged ({error}); restore it or pack the faces again") from None
    if facts.format != FORMAT:
        raise UserError(f"{where}: has format {facts.format}, expected {FORMAT}; pack the faces again")
    return facts


def faces_of(data: bytes, facts: StoreFacts, where: str) -> list[PackedFace]:
    """The rows of the content of an `index.json`, which messages call `where`.

    Raises:
        UserError: it is not the index of these facts, or names no such faces.
    """
    if hashlib.sha256(data).hexdigest() != facts.index_sha256:
        raise UserError(
            f"{where}: is not the index that was written with the store; restore it or pack the faces again"
        )
    try:
        faces = [PackedFace(**row) for row in parsed_json(data)]
    except (ValueError, TypeError) as error:
        raise UserError(f"{where}: is no index of faces ({error}); pack the faces again") from None
    if len(faces) != facts.count or not all(map(_is_named, faces)):
        raise UserError(
            f"{where}: does not name {facts.count:,} faces with their splits and identities; pack the faces again"
        )
    return faces


def _check_numbers(facts: StoreFacts) -> None:
    """Raises ValueError where the pixels cannot be mapped by them."""
    for name, value in (("count", facts.count), ("size", facts.size)):
        if not isinstance(value, int) or not 0 < value < 2**31:
            raise ValueError(f"{name} is {value!r:.100}, not a whole number above 0")


def _is_named(face: PackedFace) -> bool:
    texts = isinstance(face.name, str) and is_plain(face.name) and isinstance(face.split, str)
    return texts and isinstance(face.identity, int)


def is_store(folder: Path) -> bool:
    """Whether a folder holds a packed store, finished or not."""
    return (folder / STORE).is_file() or (folder / "packing.json").is_file()


def _read_facts(folder: Path) -> StoreFacts:
    if not (folder / STORE).is_file():
        state = "an unfinished packed store" if is_store(folder) else "no packed store"
        raise UserError(
            f"data.root: {folder} holds {state}; make or finish it with `python -m src.dataset pack source=<faces> "
            f"output={folder}`"
        )
    return facts_of(_content(folder / STORE), str(folder / STORE))


def _content(path: Path) -> bytes:
    try:
        return read_regular(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); pack the faces again") from None


def _map(path: Path, facts: StoreFacts) -> mmap.mmap:
    nbytes = facts.count * facts.size**2 * 3
    try:
        with path.open("rb") as handle:
            mapped = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); restore it or pack the faces again") from None
    if len(mapped) != nbytes:
        raise UserError(f"{path}: has {len(mapped):,} bytes, expected {nbytes:,}; restore it or pack the faces again")
    # Training reads in random order: reading ahead of a face would fetch faces that nobody asked for.
    mapped.madvise(mmap.MADV_RANDOM)
    return mapped
