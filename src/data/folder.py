"""Any folder of aligned face images as a source."""

import hashlib
from functools import cache as memoised
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from tqdm import tqdm

from src.checkpoints.files import sha256_of
from src.data.face_table import FaceFile, read_face_table
from src.data.image_file import checked_side, image_side, read_rgb
from src.data.image_memory import ImageMemory
from src.data.splits import SPLITS, checked_split
from src.settings.data import FolderSettings
from src.settings.errors import UserError

SMALL = 4096
"""Up to so many files are hashed by content and decoded at the start; more are hashed by size, decoded when needed."""


class FolderFaces:
    """Images of one split of a folder, resized to `size` (`FaceSource`); sorted by file.

    Reducing averages areas, enlarging is bicubic. Images that fit `image_memory.BUDGET` are decoded once. A split of up
    to `SMALL` files is decoded at the start, so that a damaged file is found before anything else begins; of a larger
    one only the headers are read then.

    Raises:
        UserError: see `read_face_table`; the split is empty; a file is damaged or not square.
    """

    def __init__(self, settings: FolderSettings, *, split: str, size: int) -> None:
        self._root = Path(settings.root).expanduser()
        self._all = read_face_table(settings)
        self._files = [face for face in self._all if face.split == checked_split(split)]
        if not self._files:
            raise UserError(
                f"data: the {split} split of {self._root} is empty ({len(self._all)} faces in all); change the "
                "fractions or the table"
            )
        self.size = size
        self._labels = {
            identity: label for label, identity in enumerate(sorted({face.identity for face in self._files}))
        }
        self._memory = ImageMemory(len(self._files), size)
        self._look_over(split)

    @property
    def identities(self) -> int:
        """Number of identities in this split."""
        return len(self._labels)

    def __len__(self) -> int:
        return len(self._files)

    def image(self, index: int) -> UInt8[np.ndarray, "s s 3"]:
        """The face as RGB.

        Raises:
            UserError: the file is damaged or not square.
        """
        face = self._file(index)
        return self._memory.get(index, lambda: self._decode(face))

    def name(self, index: int) -> str:
        """The file, relative to the root, without its suffix if that leaves it unique."""
        return self._names[self._check(index)]

    def identity(self, index: int) -> int:
        """Label of the identity, 0 .. identities - 1."""
        return self._labels[self._file(index).identity]

    def landmarks(self, index: int) -> Float32[np.ndarray, "5 2"] | None:
        """The table's five points as (x, y), scaled with the image; None if it has none."""
        face = self._file(index)
        if face.landmarks is None:
            return None
        return face.landmarks * np.float32(self.size / image_side(self._root / face.file))

    def fingerprint(self) -> str:
        """SHA-256 over names, splits, identities, landmarks and contents (only sizes, of more than `SMALL` files)."""
        digest = hashlib.sha256()
        for face in self._all:
            path = self._root / face.file
            content = _content(path, len(self._all) <= SMALL)
            points = "" if face.landmarks is None else face.landmarks.tobytes().hex()
            digest.update("\0".join((face.file, face.split, face.identity, points, content, "")).encode())
        return digest.hexdigest()

    @cached_property
    def _names(self) -> list[str]:
        stems = [str(Path(face.file).with_suffix("")) for face in self._files]
        return stems if len(set(stems)) == len(stems) else [face.file for face in self._files]

    def _check(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(f"face {index} of {len(self)}")
        return index

    def _file(self, index: int) -> FaceFile:
        return self._files[self._check(index)]

    def _decode(self, face: FaceFile) -> UInt8[np.ndarray, "s s 3"]:
        path = self._root / face.file
        image = read_rgb(path)
        side = checked_side(path, image.shape[1], image.shape[0])
        if side == self.size:
            return image
        interpolation = cv2.INTER_AREA if side > self.size else cv2.INTER_CUBIC
        resized: np.ndarray = cv2.resize(image, (self.size, self.size), interpolation=interpolation)
        return resized

    def _look_over(self, split: str) -> None:
        decode = self._memory.keeps and len(self) <= SMALL
        for index in tqdm(
            range(len(self)), desc=f"reading {len(self):,} faces ({split})", unit="face", leave=False, disable=None
        ):
            if decode:
                self.image(index)
            else:
                image_side(self._root / self._files[index].file)


def _content(path: Path, hashed: bool) -> str:
    state = path.stat()
    return _hash_of(path, state.st_size, state.st_mtime_ns) if hashed else str(state.st_size)


def count_faces(settings: FolderSettings) -> dict[str, tuple[int, int]]:
    """(images, identities) of every split; decodes nothing.

    Raises:
        UserError: see `read_face_table`.
    """
    faces = read_face_table(settings)
    people = {split: [face.identity for face in faces if face.split == split] for split in SPLITS}
    return {split: (len(found), len(set(found))) for split, found in people.items()}


@memoised
def _hash_of(path: Path, size: int, modified: int) -> str:
    """SHA-256 of the file; asked again only when size or modification time differ."""
    return sha256_of(path)
