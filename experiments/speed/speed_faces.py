"""Faces for the speed study: PNG files that are decoded whenever they are asked for, and the same ones packed."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from src.data.image_file import read_rgb
from src.faces.renderer import render_face


@dataclass
class PngFaces:
    """PNG files that are decoded whenever they are asked for."""

    files: list[Path]
    size: int
    identities: int = 1

    def __len__(self) -> int:
        return len(self.files)

    def image(self, index: int) -> np.ndarray:
        """The decoded file."""
        return read_rgb(self.files[index])

    def name(self, index: int) -> str:
        """The file's name."""
        return self.files[index].stem

    def identity(self, index: int) -> int:
        """All are one."""
        return 0

    def landmarks(self, index: int) -> None:
        """None are known."""
        return

    def fingerprint(self) -> str:
        """Not needed here."""
        return "0" * 64


class MappedFaces(PngFaces):
    """The same faces packed end to end in one memory-mapped file, as a packed store holds them."""

    def __init__(self, source: PngFaces, path: Path) -> None:
        super().__init__(source.files, source.size)
        path.write_bytes(b"".join(source.image(index).tobytes() for index in range(len(source))))
        shape = (len(source), source.size, source.size, 3)
        self._images = np.memmap(path, np.uint8, "r", shape=shape)

    def image(self, index: int) -> np.ndarray:
        """A copy out of the map."""
        return np.array(self._images[index])


def make_files(folder: Path, count: int, side: int) -> list[Path]:
    """Rendered faces with the grain of a photograph, so that a PNG of 512 px takes about as much as one of FFHQ."""
    files = [folder / f"{number:03d}.png" for number in range(count)]
    for number, file in enumerate(files):
        face = render_face(0, number, 0, side).image.astype(np.float32)
        grain = np.random.default_rng(number).normal(0, 2.0, face.shape)
        grainy = np.clip(face + cv2.GaussianBlur(grain, (0, 0), 0.7) * 2, 0, 255).astype(np.uint8)
        cv2.imwrite(str(file), grainy[..., ::-1])
    return files
