"""Runs on this disk that a server lacks: where they lie, what they staged for upload, and whether it is still there."""

import base64
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from src.tracking.wandb_file import write_log

_FOLDER = re.compile(r"(?P<offline>offline-)?run-(?P<started>\d{8}_\d{6})-.+")
_UNSENT = "unsent"
"""File in the folder of an online run of which the server did not take everything."""
_STORES = ("data", "cache")


@dataclass(frozen=True)
class Segment:
    """What one process wrote of a run, offline or for a server that went away; a run that was continued has several."""

    log: Path
    """`run-<id>.wandb`."""

    @property
    def folder(self) -> Path:
        """`<run>/wandb/offline-run-<time>-<id>`, or `run-...` of one that began online."""
        return self.log.parent

    @property
    def home(self) -> Path:
        """Folder of the run, with `wandb/data` in which its tables and artifacts are staged."""
        return self.folder.parent.parent

    @property
    def run_id(self) -> str:
        """W&B id of the run."""
        return self.log.stem.removeprefix("run-")

    @property
    def started(self) -> str:
        """Local time as digits, in the order of time."""
        found = _FOLDER.fullmatch(self.folder.name)
        return found["started"] if found else ""

    @property
    def marker(self) -> Path:
        """wandb's own sign that the segment was sent."""
        return self.log.with_name(f"{self.log.name}.synced")

    @property
    def size(self) -> int:
        """Bytes of the log and of the files beside it."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())


@dataclass(frozen=True)
class Staged:
    """A file that an artifact of the run is to be uploaded from."""

    artifact: str
    name: str
    """In the artifact, for example `final/faces.table.json`."""
    path: Path
    """Where the log says it lies."""
    found: Path | None
    """Where it lies: there, or below the run's folder if that was moved or copied; None if it is lost."""


@dataclass(frozen=True)
class Staging:
    """What belongs to a segment outside its own folder."""

    files: tuple[Staged, ...]

    @property
    def lost(self) -> list[Staged]:
        """Files that are nowhere."""
        return [entry for entry in self.files if entry.found is None]

    @property
    def moved(self) -> list[Staged]:
        """Files that lie elsewhere than the log says."""
        return [entry for entry in self.files if entry.found is not None and entry.found != entry.path]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(entry.found.stat().st_size for entry in self.files if entry.found is not None)


def find_segments(root: Path) -> list[Segment]:
    """Runs to be sent, or sent before, in `root` and below it, in the order in which they were started."""
    found = []
    for folder, names, files in os.walk(root):
        inside = Path(folder)
        if named := _FOLDER.fullmatch(inside.name):
            files = files if named["offline"] or _UNSENT in files else []
            found += [Segment(inside / name) for name in files if re.fullmatch(r"run-.+\.wandb", name)]
            names.clear()
        elif inside.name == "wandb":
            names[:] = [name for name in names if name not in _STORES]
    return sorted(found, key=lambda segment: (segment.started, str(segment.log)))


def mark_unsent(folder: Path) -> None:
    """Let `find_segments` find an online run, of whose folder the server did not take everything."""
    # At the end of a run, whose own error must not be hidden by that of a full disk.
    with suppress(OSError):
        (folder / _UNSENT).touch()


def is_finished(records: Sequence[bytes]) -> bool:
    """Whether a log holds the end of its run; that of a killed run does not."""
    return any(_parsed(payload).HasField("exit") for payload in reversed(records))


def staging_of(segment: Segment, records: Sequence[bytes]) -> Staging:
    """The staged files that the log of a segment names.

    Args:
        records: of the log, from `read_log`.
    """
    files = []
    for record in map(_parsed, records):
        for entry in _uploads(record):
            path = Path(entry.local_path)
            files.append(Staged(record.artifact.name, entry.path, path, _located(entry, segment.home)))
    return Staging(tuple(files))


def point_to_moved_files(segment: Segment, records: Sequence[bytes]) -> None:
    """Rewrite the log so that it names staged files where they lie now; wandb keeps absolute paths.

    Only paths that lead nowhere any more are changed.
    """
    written = []
    for payload in records:
        record, changed = _parsed(payload), False
        for entry in _uploads(record):
            found = _located(entry, segment.home)
            if found is not None and str(found) != entry.local_path:
                entry.local_path, changed = str(found), True
        written.append(record.SerializeToString() if changed else payload)
    write_log(segment.log, segment.log, written)


@cache
def _record_class() -> Any:
    from google.protobuf.descriptor_pool import Default
    from google.protobuf.message_factory import GetMessageClass
    from wandb.proto import wandb_internal_pb2  # noqa: F401 - puts the schema into the pool

    return GetMessageClass(Default().FindMessageTypeByName("wandb_internal.Record"))


def _parsed(payload: bytes) -> Any:
    """A record of the log by wandb's own schema."""
    record = _record_class()()
    record.ParseFromString(payload)
    return record


def _uploads(record: Any) -> Iterator[Any]:
    """Manifest entries of the record's artifact that have bytes to send; references have none."""
    if record.HasField("artifact"):
        yield from (entry for entry in record.artifact.manifest.contents if entry.local_path and not entry.ref)


def _located(entry: Any, home: Path) -> Path | None:
    path = Path(entry.local_path)
    if path.is_file():
        return path
    home = home.resolve()
    tails = (Path(*path.parts[start:]) for start in range(1, len(path.parts)))
    return next((home / tail for tail in tails if _is_it(home / tail, entry)), None)


def _is_it(path: Path, entry: Any) -> bool:
    """Whether a file is the staged one: its size, and the MD5 under which the artifact lists it."""
    if not path.is_file() or path.stat().st_size != entry.size:
        return False
    with path.open("rb") as handle:
        return base64.b64encode(hashlib.file_digest(handle, "md5").digest()).decode() == entry.digest
