"""Packing of a source: decoded once, written end to end, resumed where it stopped."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from src.checkpoints.files import atomic_path
from src.data.packed_store import FORMAT, IMAGES, INDEX, STORE, PackedFace, StoreFacts, index_text, store_text
from src.data.source import FaceSource
from src.settings.errors import UserError

PLAN, PROGRESS, UNFINISHED = "packing.json", "packing.jsonl", "images.bin.unfinished"
LIBRARIES = ("numpy", "opencv-python-headless", "pillow")


@dataclass(frozen=True)
class _Row:
    """A face to pack, before it is read."""

    split: str
    place: int


class _Decoder(Dataset[tuple[bytes, PackedFace]]):
    """Pixels and index row of a face; runs in the decoding processes."""

    def __init__(self, sources: dict[str, FaceSource], rows: list[_Row]) -> None:
        self._sources, self._rows = sources, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> tuple[bytes, PackedFace]:
        row = self._rows[index]
        source = self._sources[row.split]
        pixels = source.image(row.place).tobytes()
        points = source.landmarks(row.place)
        face = PackedFace(
            name=source.name(row.place),
            split=row.split,
            identity=source.identity(row.place),
            landmarks=None if points is None else [[float(x), float(y)] for x, y in points],
            sha256=hashlib.sha256(pixels).hexdigest(),
        )
        return pixels, face


def pack(sources: dict[str, FaceSource], folder: Path, *, workers: int = 0) -> StoreFacts:
    """Write all faces of `sources` (split -> source, one size) to a packed store in `folder`.

    An interrupted packing of the same faces goes on where it stopped, and ends in the same bytes. `workers` processes
    decode.

    Raises:
        UserError: the folder holds something else, or the packing of other faces; a face is damaged; the disk is full.
    """
    first = next(iter(sources.values()))
    plan = {"format": FORMAT, "size": first.size, "source": first.fingerprint(), "splits": _counts(sources)}
    rows = [_Row(split, place) for split, source in sources.items() for place in range(len(source))]
    try:
        _begin(folder, plan)
        done = _done(folder, first.size**2 * 3)
        decoder = _Decoder(sources, rows[len(done) :])
        faces = [*done, *_write(folder, decoder, workers, len(rows), len(done))]
        return _finish(folder, plan, faces)
    except OSError as error:
        raise UserError(
            f"{folder}: the faces cannot be written ({error.strerror or error}); free some space and give the same command "
            "again, it goes on where it stopped"
        ) from None


def _counts(sources: dict[str, FaceSource]) -> dict[str, int]:
    return {split: len(source) for split, source in sources.items()}


def _begin(folder: Path, plan: dict[str, Any]) -> None:
    if (folder / STORE).is_file():
        raise UserError(f"output: {folder} holds a finished store; give another folder, or remove it")
    path = folder / PLAN
    if not path.is_file():
        if folder.is_dir() and any(folder.iterdir()):
            raise UserError(f"output: {folder} is not empty and holds no packing to go on with; give another folder")
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(plan, indent=2) + "\n")
    found = json.loads(path.read_text())
    differing = [key for key in plan if found.get(key) != plan[key]]
    if differing:
        raise UserError(
            f"output: {folder} holds the packing of other faces (another {', '.join(differing)}); give another folder, or "
            "remove it"
        )


def _done(folder: Path, nbytes: int) -> list[PackedFace]:
    """What a former packing completed: rows whose pixels are there in full. The rest is cut off."""
    progress, images = folder / PROGRESS, folder / UNFINISHED
    if (folder / IMAGES).is_file() and not images.is_file():
        (folder / IMAGES).replace(images)  # stopped between the last face and the index
    lines = progress.read_bytes().split(b"\n")[:-1] if progress.is_file() else []
    written = images.stat().st_size // nbytes if images.is_file() else 0
    kept = lines[: min(len(lines), written)]
    progress.write_bytes(b"".join(line + b"\n" for line in kept))
    with images.open("ab") as handle:
        handle.truncate(len(kept) * nbytes)
    return [PackedFace(**json.loads(line)) for line in kept]


def _write(folder: Path, decoder: _Decoder, workers: int, total: int, done: int) -> Iterator[PackedFace]:
    loader = DataLoader(decoder, batch_size=None, num_workers=workers, collate_fn=_as_it_is)
    bar = partial(tqdm, total=total, initial=done, desc="packing", unit="face", leave=False, disable=None)
    with (folder / UNFINISHED).open("ab") as images, (folder / PROGRESS).open("ab") as progress, bar() as shown:
        for pixels, face in loader:
            images.write(pixels)
            # The row follows its pixels, so that a row never stands for pixels that are missing.
            images.flush()
            progress.write(json.dumps(asdict(face)).encode() + b"\n")
            progress.flush()
            shown.update()
            yield face
        os.fsync(images.fileno())


def _as_it_is(item: Any) -> Any:
    return item


def _finish(folder: Path, plan: dict[str, Any], faces: list[PackedFace]) -> StoreFacts:
    text = index_text(faces)
    facts = StoreFacts(
        format=FORMAT,
        count=len(faces),
        size=plan["size"],
        source=plan["source"],
        index_sha256=hashlib.sha256(text.encode()).hexdigest(),
        libraries={name: version(name) for name in LIBRARIES},
    )
    (folder / UNFINISHED).replace(folder / IMAGES)
    for name, content in ((INDEX, text), (STORE, store_text(facts))):
        with atomic_path(folder / name) as temporary:
            temporary.write_text(content, encoding="utf-8")
    for name in (PLAN, PROGRESS):
        (folder / name).unlink(missing_ok=True)
    return facts
