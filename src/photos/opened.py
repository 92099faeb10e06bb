"""A photo between decoding and writing, with its faces."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from jaxtyping import Float, UInt8

from src.photos.face import Face
from src.photos.photo_file import Photo
from src.photos.plan import PhotoFile
from src.photos.warp import Similarity

Crop = UInt8[np.ndarray, "s s 3"]


@dataclass(eq=False)
class FaceCrop:
    """An aligned face on its way through the restorer."""

    crop: Crop
    found: Face | None
    """Where it was found; None for an input that is an aligned face itself."""
    to_crop: Similarity | None
    """From the photo to the crop."""
    restored: Crop | None = None
    mask: Float[np.ndarray, "s s"] | None = None
    """Parts of the face, in [0, 1]; None without a parser."""


@dataclass(eq=False)
class OpenedPhoto:
    """An input with everything that is known of it so far."""

    file: PhotoFile
    photo: Photo | None
    """None if it could not be read."""
    problem: str | None = None
    """Why it could not be read."""
    time: Fraction | None = None
    """Presentation time of a video's frame, seconds."""
    faces: list[FaceCrop] = field(default_factory=list)
    grey: bool = False
    original_size: tuple[int, int] = (0, 0)
    """Width and height in the file, upright."""
    left_out: int = 0
    """Faces that were found and not restored: off centre with only_center, or with landmarks that fit no face."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Time by part: decode, detect, align, restore, paste, encode."""

    @property
    def is_restored(self) -> bool:
        """Whether every face has come back."""
        return all(face.restored is not None for face in self.faces)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the time of the block to a part."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - start
