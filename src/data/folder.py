"""Any folder or archive of aligned face images as a source."""

import hashlib
import warnings
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from tqdm import tqdm

from src.data.face_table import FaceFile, read_face_table
from src.data.file_tree import open_tree
from src.data.image_file import DamagedImage, checked_side, decode_rgb, image_side
from src.data.image_memory import ImageMemory
from src.data.resized import resized
from src.data.splits import SPLITS, checked_split
from src.settings.data import FolderSettings
from src.settings.errors import UserError

SMALL = 4096
"""Up to so many files are hashed by content and decoded at the start; more are hashed by size, decoded when needed."""


class FolderFaces:
    """Images of one split of a folder or archive, resized to `size` (`FaceSource`); sorted by file.

    Images that fit `image_memory.BUDGET` are decoded once. A split of up to `SMALL` files is decoded at the start, so that
    a damaged file is found before anything else begins; of a larger one only the headers are read then. With
    `settings.on_damaged` = skip damaged files are only named then. Without `look_over` nothing is read at the start.

    Raises:
        UserError: see `open_tree` and `read_face_table`; the split is empty; a file is damaged or not square.
    """

    def __init__(self, settings: FolderSettings, *, split: str, size: int, look_over: bool = True) -> None:
        self._tree = open_tree(settings.root)
        self._table = read_face_table(settings, self._tree)
        self._files = [face for face in self._table.faces if face.split == checked_split(split)]
        if not self._files:
            raise UserError(
                f"data: the {split} split of {self._tree.root} is empty ({len(self._table.faces)} faces in all); change "
                "the fractions or the table"
            )
        self.size = size
        self._labels = {
            identity: label for label, identity in enumerate(sorted({face.identity for face in self._files}))
        }
        self._memory = ImageMemory(len(self._files), size)
        if look_over:
            self._look_over(split, stop=settings.on_damaged != "skip")

    @property
    def identities(self) -> int:
        """Number of identities in this split."""
        return len(self._labels)

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences on what a published layout has and this folder lacks."""
        return self._table.notices

    def __len__(self) -> int:
        return len(self._files)

    def image(self, index: int) -> UInt8[np.ndarray, "s s 3"]:
        """The face as RGB.

        Raises:
            UserError: the file is not square; as `DamagedImage`, it is damaged.
        """
        face = self._file(index)
        return self._memory.get(index, lambda: self._decode(face))

    def name(self, index: int) -> str:
        """The file, relative to the root, without its suffix if that leaves it unique."""
        return self._names[self._check(index)]

    def identity(self, index: int) -> int:
        """Label of the identity, 0 .. identities - 1."""
        return self._labels[self._file(index).identity]

    def person(self, index: int) -> tuple[str, str]:
        """The identity as the table calls it, and its group of look-alikes."""
        face = self._file(index)
        return face.identity, face.group

    def landmarks(self, index: int) -> Float32[np.ndarray, "5 2"] | None:
        """The table's five points as (x, y), scaled with the image; None if it has none."""
        face = self._file(index)
        if face.landmarks is None:
            return None
        return face.landmarks * np.float32(self.size / (self._table.landmark_side or self.side(index)))

    def side(self, index: int) -> int:
        """Side of the image as it is in the file, pixels; reads the header only.

        Raises:
            UserError: the file is not square; as `DamagedImage`, it is damaged.
        """
        file = self._file(index).file
        with self._tree.open(file) as stream:
            return image_side(stream, self._tree.where(file))

    def file(self, index: int) -> tuple[str, int]:
        """The file's name in messages, and its size in bytes."""
        file = self._file(index).file
        return self._tree.where(file), self._tree.nbytes(file)

    def fingerprint(self) -> str:
        """SHA-256 over names, splits, identities, landmarks and contents.

        Of more than `SMALL` files the contents count by their sizes (in an archive also by their CRC-32).
        """
        faces = self._table.faces
        hash_of = self._tree.content_hash if len(faces) <= SMALL else self._tree.cheap_hash
        digest = hashlib.sha256()
        for face in faces:
            points = "" if face.landmarks is None else face.landmarks.tobytes().hex()
            content = hash_of(face.file)
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
        where = self._tree.where(face.file)
        image = decode_rgb(self._tree.read(face.file), where)
        checked_side(where, image.shape[1], image.shape[0])
        return resized(image, self.size)

    def _look_over(self, split: str, *, stop: bool) -> None:
        look = self.image if self._memory.keeps and len(self) <= SMALL else self.side
        damaged = []
        title = f"reading {len(self):,} faces ({split})"
        for index in tqdm(range(len(self)), desc=title, unit="face", leave=False, disable=None):
            try:
                look(index)
            except DamagedImage as error:
                if stop:
                    raise
                damaged.append(error)
        if damaged:
            more = f" and {len(damaged) - 1:,} more" if len(damaged) > 1 else ""
            warnings.warn(f"{len(damaged):,} of {len(self):,} faces ({split}): {damaged[0]}{more}", stacklevel=3)


def count_faces(settings: FolderSettings) -> dict[str, tuple[int, int]]:
    """(images, identities) of every split; decodes nothing.

    Raises:
        UserError: see `open_tree` and `read_face_table`.
    """
    faces = read_face_table(settings, open_tree(settings.root)).faces
    people = {split: [face.identity for face in faces if face.split == split] for split in SPLITS}
    return {split: (len(found), len(set(found))) for split, found in people.items()}
