"""Where the restored faces of an evaluation come from: a restorer at work, or a folder that something else filled."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from src.data.benchmark import Benchmark
from src.data.image_file import IMAGE_SUFFIXES, read_rgb
from src.data.levels import to_levels, to_network
from src.jobs.peak_memory import MemoryGrowth
from src.restorers.base import Diagnosed, Restorer
from src.settings.errors import UserError

Faces = UInt8[np.ndarray, "n s s 3"]
Levels = UInt8[Tensor, "b 3 s s"]


@runtime_checkable
class Restorations(Protocol):
    """Restored faces by their place in the benchmark."""

    @property
    def seconds(self) -> list[float]:
        """Time an image of every batch so far; empty where others restored."""

    @property
    def megabytes(self) -> float | None:
        """Memory that restoring needs; None where it is not known."""

    @property
    def diagnostics(self) -> dict[str, float]:
        """How the method worked, means over the faces so far; empty where it does not say."""

    def batch(self, indices: Sequence[int]) -> Levels:
        """The restored faces at these places."""


def channels_first(faces: Faces) -> UInt8[Tensor, "n 3 s s"]:
    """Pictures as one tensor."""
    return torch.from_numpy(np.ascontiguousarray(faces.transpose(0, 3, 1, 2)))


class RestorerAtWork:
    """Runs a restorer over faces, and keeps what that costs, apart from reading and measuring them."""

    def __init__(self, restorer: Restorer, inputs: Faces, device: torch.device) -> None:
        self._restorer, self._inputs, self._device = restorer, inputs, device
        self._growth = MemoryGrowth(device)
        self._growths: list[float] = []
        self.seconds: list[float] = []

    @property
    def megabytes(self) -> float | None:
        """The parameters at four bytes each, and the growth while a batch is restored, its median; MiB."""
        if not self._growths:
            return None
        return self._restorer.parameters * 4 / 2**20 + float(np.median(self._growths))

    @property
    def diagnostics(self) -> dict[str, float]:
        """What the restorer says."""
        return self._restorer.diagnostics if isinstance(self._restorer, Diagnosed) else {}

    def batch(self, indices: Sequence[int]) -> Levels:
        """Restores the inputs at these places."""
        lq = channels_first(self._inputs[list(indices)]).to(self._device)
        self._growth.start()
        started = time.perf_counter()
        restored = to_levels(self._restorer.restore(to_network(lq), keys=indices))
        if lq.is_cuda:
            torch.cuda.synchronize()
        self.seconds.append((time.perf_counter() - started) / len(indices))
        if (grown := self._growth.megabytes()) is not None:
            self._growths.append(grown)
        return restored


@dataclass(frozen=True)
class ExternalFaces:
    """Faces that were restored elsewhere, one file a face of the benchmark."""

    files: tuple[Path, ...]
    """In the benchmark's order."""
    size: int
    seconds: list[float] = field(default_factory=list)
    megabytes: None = None
    diagnostics: dict[str, float] = field(default_factory=dict)

    def batch(self, indices: Sequence[int]) -> Levels:
        """Reads the files at these places.

        Raises:
            UserError: one cannot be read, or has another size than the benchmark's faces.
        """
        return channels_first(np.stack([self._read(self.files[index]) for index in indices]))

    def _read(self, path: Path) -> UInt8[np.ndarray, "s s 3"]:
        face = read_rgb(path)
        if face.shape != (self.size, self.size, 3):
            height, width = face.shape[:2]
            raise UserError(
                f"{path}: is {width} x {height} pixels, the benchmark's faces are {self.size} x {self.size}; restore at "
                "that size, or build the benchmark at this one"
            )
        return face


def external_faces(root: Path, benchmark: Benchmark) -> ExternalFaces:
    """The files below `root` that bear the names of the benchmark's faces, endings aside; there must be no others.

    Raises:
        UserError: `root` is no folder, a face has no file or several, or a file belongs to no face.
    """
    if not root.is_dir():
        raise UserError(f"root: {str(root)!r} is not a folder; give the folder of the restored faces")
    found: dict[str, list[Path]] = {}
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in IMAGE_SUFFIXES:
            found.setdefault(_stem(path.relative_to(root).as_posix()), []).append(path)
    wanted = {_stem(name) for name in benchmark.names}
    _refuse(root, "several files each", [name for name, paths in found.items() if len(paths) > 1])
    _refuse(root, "no file", [name for name in map(_stem, benchmark.names) if name not in found])
    _refuse(root, "no place in the benchmark", [name for name in found if name not in wanted])
    return ExternalFaces(tuple(found[_stem(name)][0] for name in benchmark.names), benchmark.size)


def _stem(name: str) -> str:
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.suffix.lower() in IMAGE_SUFFIXES else name


def _refuse(root: Path, what: str, names: Sequence[str]) -> None:
    if names:
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        raise UserError(
            f"root: {len(names)} faces have {what} in {root} ({shown}); its files must bear the names of the benchmark's "
            "faces, one each"
        )
