"""The readers of files that others made, by name, and what each may do with a file of any content."""

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from src.checkpoints.network_file import load_network
from src.checkpoints.store import read_run
from src.checkpoints.tensor_file import read_tensor_file
from src.data.frozen_manifest import read_manifest
from src.data.image_file import image_side, read_rgb
from src.data.packed_store import PackedStore
from src.data.streamed import read_remote_index
from src.photos.photo_file import read_photo
from src.settings.errors import UserError
from src.tracking.per_image import read_per_image
from src.tracking.records import read_record

MEGAPIXELS = 16.0


def _side(path: Path) -> int:
    with path.open("rb") as stream:
        return image_side(stream, str(path))


READERS: dict[str, Callable[[Path], Any]] = {
    "face": read_rgb,
    "side": _side,
    "photo": lambda path: read_photo(path, MEGAPIXELS),
    "weights": read_tensor_file,
    "network": load_network,
    "record": read_record,
    "table": read_per_image,
    "manifest": lambda path: read_manifest(path.parent),
    "store": lambda path: PackedStore(path.parent),
    "remote": lambda path: read_remote_index(str(path.parent)),
    "status": lambda path: read_run(path.parent),
}
"""Readers by name; those of a folder find the file under the name that `FILES` says."""
FILES = {
    **{"manifest": "manifest.json", "store": "store.json", "remote": "store.json", "status": "status.json"},
    "network": "net.safetensors",
}


def is_refused_or_read(name: str, content: bytes) -> bool:
    """True if the reader gives a value for a file of this content, or a `UserError` with a sentence; else it raises."""
    with tempfile.TemporaryDirectory(dir=_memory_folder()) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / FILES.get(name, "file.bin")
        path.write_bytes(content)
        try:
            READERS[name](path)
        except UserError as error:
            return bool(str(error))
    return True


def _memory_folder() -> str | None:
    """Where files cost no disk, if the system has such a place."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
