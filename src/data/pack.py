"""Packing of a source: decoded once, written end to end, resumed where it stopped."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from tqdm import tqdm

from src.checkpoints.files import atomic_path
from src.data.image_file import DamagedImage
from src.data.in_order import in_order
from src.data.packed_store import FORMAT, IMAGES, INDEX, STORE, PackedFace, StoreFacts, index_text, store_text
from src.data.source import FaceSource
from src.settings.errors import UserError

PLAN, PROGRESS, UNFINISHED, LOCK = "packing.json", "packing.jsonl", "images.bin.unfinished", "packing.lock"
LIBRARIES = ("numpy", "opencv-python-headless", "pillow")
SYNC_EVERY = 64
"""Faces between two moments at which everything is made to outlast a power failure."""

Packed = tuple[UInt8[Tensor, "s s 3"], PackedFace] | None
"""Pixels and index row of a face; None if it is damaged and left out."""


@dataclass(frozen=True)
class _Decoder:
    """Reads the n-th face of all sources together; runs in the decoding processes."""

    sources: dict[str, FaceSource]
    skip_damaged: bool

    def __call__(self, place: int) -> Packed:
        split, index = self._of(place)
        source = self.sources[split]
        try:
            pixels = np.ascontiguousarray(source.image(index))
        except DamagedImage:
            if self.skip_damaged:
                return None
            raise
        points = source.landmarks(index)
        face = PackedFace(
            name=source.name(index),
            split=split,
            identity=source.identity(index),
            landmarks=None if points is None else [[float(x), float(y)] for x, y in points],
            sha256=hashlib.sha256(pixels.data).hexdigest(),
        )
        return torch.from_numpy(pixels), face

    def _of(self, place: int) -> tuple[str, int]:
        for split, source in self.sources.items():
            if place < len(source):
                return split, place
            place -= len(source)
        raise IndexError(place)


def pack(sources: dict[str, FaceSource], folder: Path, *, workers: int = 0, skip_damaged: bool = False) -> StoreFacts:
    """Write all faces of `sources` (split -> source, one size) to a packed store in `folder`.

    An interrupted packing of the same faces goes on where it stopped, and ends in the same bytes, whatever the number of
    `workers` that decode. A damaged face ends it; with `skip_damaged` it is left out, and the labels of the others stay.

    Raises:
        UserError: the folder holds something else, or the packing of other faces; another process is packing it; a face
            is damaged; the disk is full.
    """
    first = next(iter(sources.values()))
    libraries = {name: version(name) for name in LIBRARIES}
    splits = {split: len(source) for split, source in sources.items()}
    plan = {
        "format": FORMAT, "size": first.size, "source": first.fingerprint(), "splits": splits, "libraries": libraries,
    }  # fmt: skip
    nbytes, total = first.size**2 * 3, sum(splits.values())
    try:
        with _alone_in(folder):
            _begin(folder, plan)
            done = _done(folder, nbytes)
            _check_room(folder, (total - len(done)) * nbytes)
            decoded = in_order(_Decoder(sources, skip_damaged), range(len(done), total), workers)
            rows = [*done, *_write(folder, decoded, total, len(done))]
            return _finish(folder, plan, [row for row in rows if row is not None])
    except OSError as error:
        raise UserError(
            f"{folder}: the faces cannot be written ({error.strerror or error}); free some space and give the same command "
            "again, it goes on where it stopped"
        ) from None


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    if (folder / STORE).is_file():
        raise UserError(f"output: {folder} holds a finished store; give another folder, or remove it")
    begun = any((folder / name).is_file() for name in (LOCK, PLAN))
    if folder.is_dir() and any(folder.iterdir()) and not begun:
        raise UserError(f"output: {folder} is not empty and holds no packing to go on with; give another folder")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        try:
            # Not flock: decoding processes would inherit it, and outlive a killed packing by some seconds.
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            raise UserError(f"output: another process is packing {folder}; wait until it ends") from None
        yield


def _begin(folder: Path, plan: dict[str, Any]) -> None:
    path = folder / PLAN
    if not path.is_file():
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(plan, indent=2) + "\n")
    found = json.loads(path.read_text())
    differing = [key for key in plan if found.get(key) != plan[key]]
    if differing:
        raise UserError(
            f"output: {folder} holds the packing of other faces (another {', '.join(differing)}); give another folder, or "
            "remove it"
        )


def _done(folder: Path, nbytes: int) -> list[PackedFace | None]:
    """What a former packing completed: rows whose pixels are there in full. The rest is cut off."""
    progress, images = folder / PROGRESS, folder / UNFINISHED
    if (folder / IMAGES).is_file() and not images.is_file():
        (folder / IMAGES).replace(images)  # stopped between the last face and the index
    lines = progress.read_bytes().split(b"\n")[:-1] if progress.is_file() else []
    rows = [None if row is None else PackedFace(**row) for row in map(json.loads, lines)]
    written = images.stat().st_size // nbytes if images.is_file() else 0
    while sum(row is not None for row in rows) > written:
        rows.pop()
    # A row is never cut off in place: a second interruption must not leave half of one.
    with atomic_path(progress) as temporary:
        temporary.write_bytes(b"".join(line + b"\n" for line in lines[: len(rows)]))
    with images.open("ab") as handle:
        handle.truncate(sum(row is not None for row in rows) * nbytes)
    return rows


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"output: {folder} needs {needed / 2**30:,.1f} GiB more and its disk has {free / 2**30:,.1f} GiB; free some "
            "space, or give a folder on another disk"
        )


def _write(folder: Path, decoded: Iterator[Packed], total: int, done: int) -> Iterator[PackedFace | None]:
    bar = partial(tqdm, total=total, initial=done, desc="packing", unit="face", leave=False, disable=None)
    with (folder / UNFINISHED).open("ab") as images, (folder / PROGRESS).open("ab") as progress:
        lines: list[bytes] = []
        try:
            for item in bar(decoded):
                if item is not None:
                    images.write(item[0].numpy().data)
                lines.append(json.dumps(None if item is None else asdict(item[1])).encode() + b"\n")
                if len(lines) == SYNC_EVERY:
                    _sync(images, progress, lines)
                yield None if item is None else item[1]
        finally:
            _sync(images, progress, lines)


def _sync(images: Any, progress: Any, lines: list[bytes]) -> None:
    # The rows follow their pixels to the disk, so that a row never stands for pixels that are missing.
    for file, content in ((images, b""), (progress, b"".join(lines))):
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    lines.clear()


def _finish(folder: Path, plan: dict[str, Any], faces: Sequence[PackedFace]) -> StoreFacts:
    if not faces:
        raise UserError(f"output: every face for {folder} is damaged; nothing was packed")
    text = index_text(faces)
    facts = StoreFacts(
        format=FORMAT,
        count=len(faces),
        size=plan["size"],
        source=plan["source"],
        index_sha256=hashlib.sha256(text.encode()).hexdigest(),
        libraries=plan["libraries"],
    )
    (folder / UNFINISHED).replace(folder / IMAGES)
    for name, content in ((INDEX, text), (STORE, store_text(facts))):
        with atomic_path(folder / name) as temporary:
            temporary.write_text(content, encoding="utf-8")
    for name in (PLAN, PROGRESS, LOCK):
        (folder / name).unlink(missing_ok=True)
    return facts
