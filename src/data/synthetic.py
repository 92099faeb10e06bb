"""Rendered faces as a source, cached on disk once per population, size and split."""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from tqdm import tqdm

from src.data.rendered_truth import FaceTruth, RenderedTruth, StoredTruth, is_stored, write_truth
from src.data.splits import checked_split, identity_ranges
from src.faces import RenderedFace, render_face
from src.faces.renderer import LARGEST, SMALLEST
from src.settings.data import SyntheticFacesSettings
from src.settings.errors import UserError

RENDERER_VERSION = 1
"""Raised when the pixels of rendered faces change, so that old caches and networks are not taken for new ones."""


def is_rendered(name: str) -> bool:
    """Whether a face has the name that the renderer gives."""
    return re.fullmatch(r"identity\d{5}_picture\d{3}", name) is not None


class SyntheticFaces:
    """Rendered faces of one split (`FaceSource`).

    The order is picture-major: picture 0 of every identity, then picture 1 and so on, so that the first n faces show n
    identities as long as the split has that many, and more pictures an identity leave the earlier faces where they are.
    With `cache` the faces are rendered once and memory-mapped; without, each is rendered when asked for.
    """

    def __init__(self, settings: SyntheticFacesSettings, *, split: str, size: int, cache: Path | None = None) -> None:
        ranges = identity_ranges(settings.identities, settings.validation_identities, settings.test_identities)
        self._people = ranges[checked_split(split)]
        self._settings = settings
        self._split = split
        self.size = size
        if settings.images_per_identity < 1:
            raise UserError(f"data.images_per_identity: {settings.images_per_identity} must be 1 or more")
        if not SMALLEST <= size <= LARGEST:
            raise UserError(f"size: {size} pixels; faces are rendered at {SMALLEST} to {LARGEST} pixels a side")
        if not self._people:
            raise UserError(
                f"data.{split}_identities: 0 leaves the {split} split without faces; hold out at least one identity"
            )
        self._folder = None if cache is None else self._cached(cache)
        self._store = None if self._folder is None else FaceStore(self._folder)

    @property
    def identities(self) -> int:
        """Number of identities in this split."""
        return len(self._people)

    def __len__(self) -> int:
        return len(self._people) * self._settings.images_per_identity

    def image(self, index: int) -> UInt8[np.ndarray, "s s 3"]:
        """The face as RGB."""
        self._check(index)
        return self._render(index).image if self._store is None else np.array(self._store.images[index])

    def name(self, index: int) -> str:
        """Identity in the population, and picture."""
        person, picture = self._key(index)
        return f"identity{person:05d}_picture{picture:03d}"

    def identity(self, index: int) -> int:
        """Label of the identity, 0 .. identities - 1."""
        return self._check(index) % len(self._people)

    def landmarks(self, index: int) -> Float32[np.ndarray, "5 2"]:
        """The exact five points as (x, y), pixels."""
        self._check(index)
        return self._render(index).landmarks5 if self._store is None else np.array(self._store.landmarks[index])

    def truth(self) -> FaceTruth:
        """The exact 68 landmarks and part maps.

        They are kept beside the cached faces; what an earlier run has not left there is rendered and written now.

        Raises:
            UserError: they cannot be written, or are damaged.
        """
        if self._folder is None:
            return RenderedTruth(self._render)
        if not is_stored(self._folder):
            write_truth(self._folder, (len(self), self.size), self._rendered("landmarks of"))
        return StoredTruth(self._folder)

    def fingerprint(self) -> str:
        """SHA-256 of the population's parameters and of the renderer's version."""
        return _digest(self._population())

    def _population(self) -> dict[str, object]:
        settings = self._settings
        return {
            "renderer": RENDERER_VERSION,
            "seed": settings.seed,
            "identities": settings.identities,
            "images_per_identity": settings.images_per_identity,
            "validation_identities": settings.validation_identities,
            "test_identities": settings.test_identities,
        }

    def _check(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(f"face {index} of {len(self)}")
        return index

    def _key(self, index: int) -> tuple[int, int]:
        picture, position = divmod(self._check(index), len(self._people))
        return self._people[position], picture

    def _render(self, index: int) -> RenderedFace:
        person, picture = self._key(index)
        return render_face(self._settings.seed, person, picture, self.size)

    def _cached(self, cache: Path) -> Path:
        """The folder with all faces of this split; rendered now if it is not there."""
        content = {**self._population(), "size": self.size, "split": self._split}
        folder = cache / _digest(content)[:16]
        if not folder.is_dir():
            try:
                self._write(folder, content)
            except OSError as error:
                raise UserError(
                    f"{folder}: the rendered faces cannot be written ({error.strerror or error}); free some space or "
                    "make the folder writable"
                ) from None
        return folder

    def _write(self, folder: Path, content: dict[str, object]) -> None:
        """Render into a private folder, then rename it: of processes that do so at once, the first to finish wins."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        private = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            self._render_all(private)
            (private / "content.json").write_text(json.dumps(content, indent=2) + "\n")
            os.chmod(private, 0o755)
            if not folder.is_dir():
                _rename(private, folder)
        finally:
            shutil.rmtree(private, ignore_errors=True)

    def _render_all(self, folder: Path) -> None:
        count = len(self)
        landmarks = np.empty((count, 5, 2), np.float32)
        # Written as a stream, not through a memory map: a full disk is then an error instead of a killed process.
        with (folder / "images.npy").open("wb") as handle:
            shape = (count, self.size, self.size, 3)
            np.lib.format.write_array_header_1_0(handle, {"descr": "|u1", "fortran_order": False, "shape": shape})
            for index, face in enumerate(self._rendered("rendering")):
                handle.write(face.image.tobytes())
                landmarks[index] = face.landmarks5
        np.save(folder / "landmarks.npy", landmarks)

    def _rendered(self, title: str) -> Iterator[RenderedFace]:
        """All faces in their order, with a bar that says what they are rendered for."""
        what = f"{title} {len(self):,} faces ({self._split})"
        for index in tqdm(range(len(self)), desc=what, unit="face", leave=False, disable=None):
            yield self._render(index)


def count_faces(settings: SyntheticFacesSettings) -> dict[str, tuple[int, int]]:
    """(images, identities) of every split; renders nothing.

    Raises:
        UserError: no identity is left for training.
    """
    ranges = identity_ranges(settings.identities, settings.validation_identities, settings.test_identities)
    return {split: (len(people) * settings.images_per_identity, len(people)) for split, people in ranges.items()}


class FaceStore:
    """Memory-mapped images and landmarks; pickled as its folder, so that loader processes share the pages.

    Raises:
        UserError: the folder's files are damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self.images: UInt8[np.ndarray, "n s s 3"] = np.load(folder / "images.npy", mmap_mode="r")
            self.landmarks: Float32[np.ndarray, "n 5 2"] = np.load(folder / "landmarks.npy")
        except (OSError, ValueError, EOFError) as error:
            raise UserError(
                f"{folder}: the cached faces are damaged ({error}); delete this folder, it is made anew"
            ) from None

    def __reduce__(self) -> tuple[type["FaceStore"], tuple[Path]]:
        return FaceStore, (self._folder,)


def _rename(private: Path, folder: Path) -> None:
    try:
        private.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def _digest(content: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
