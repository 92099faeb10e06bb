"""From a decoded photo to the crops of its faces."""

import time
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import UInt8

from src.data.image_file import checked_side
from src.faces.open_picture import PILLOW_MEGAPIXELS
from src.photos.alignment import crop, photo_to_crop
from src.photos.colour import is_grey
from src.photos.detector import PhotoDetector, nearest_to_center
from src.photos.face import Face
from src.photos.opened import FaceCrop, OpenedPhoto
from src.photos.photo_file import Photo
from src.settings.errors import UserError

MOST_PIXELS = PILLOW_MEGAPIXELS * 1_000_000
"""Of a photo whose short side was enlarged: a strip of a few kilobytes could become gigabytes."""
SMALLEST_FACE = 8
"""Side below which an aligned image holds no face that could be restored, pixels."""


@runtime_checkable
class PhotoOpener(Protocol):
    """Finds what is to be restored in photos."""

    def open(self, photos: Sequence[OpenedPhoto]) -> None:
        """Fill in the faces of photos that were read; a photo that cannot be used gets a `problem`."""


class WholePhotoOpener:
    """Detects and aligns the faces of photos.

    Photos whose short side is below `least_side` are enlarged first, as the published script does.
    """

    def __init__(
        self, detector: PhotoDetector, *, face_size: int, sampling: str, least_side: int, only_center: bool
    ) -> None:
        self._detector = detector
        self._face_size = face_size
        self._sampling = sampling
        self._least_side = least_side
        self._only_center = only_center

    def open(self, photos: Sequence[OpenedPhoto]) -> None:
        """Detect in all photos together, then cut out every face."""
        for opened in photos:
            self._enlarge(opened)
        fitting = [opened for opened in photos if opened.photo is not None]
        pictures = [opened.photo.eight_bit for opened in fitting if opened.photo is not None]
        if not pictures:
            return
        start = time.perf_counter()
        found = self._detector.find(pictures)
        seconds = (time.perf_counter() - start) / len(fitting)
        for opened, picture, faces in zip(fitting, pictures, found, strict=True):
            opened.seconds["detect"] = seconds
            with opened.timed("align"):
                self._cut(opened, picture, faces)

    def _enlarge(self, opened: OpenedPhoto) -> None:
        assert opened.photo is not None
        height, width = opened.photo.colour.shape[:2]
        factor = max(1.0, self._least_side / min(height, width))
        if height * width * factor**2 > MOST_PIXELS:
            opened.photo = None
            opened.problem = (
                f"{opened.file.source}: is {width} x {height} pixels, too many once the short side has {self._least_side}; "
                "crop it, or choose a smaller least_side"
            )
            return
        opened.grey = is_grey(opened.photo.eight_bit)
        opened.photo = at_least(opened.photo, self._least_side)

    def _cut(self, opened: OpenedPhoto, picture: UInt8[np.ndarray, "h w 3"], faces: list[Face]) -> None:
        chosen = faces
        if self._only_center:
            center = nearest_to_center(faces, picture.shape[1], picture.shape[0])
            chosen = [] if center is None else [center]
        for face in chosen:
            to_crop = photo_to_crop(face.landmarks, self._face_size)
            if to_crop is not None:
                opened.faces.append(FaceCrop(crop(picture, to_crop, self._face_size, self._sampling), face, to_crop))
        opened.left_out = len(faces) - len(opened.faces)


class AlignedFaceOpener:
    """Takes each image for one aligned, square face, `resized` to `face_size`; None keeps its size."""

    def __init__(self, face_size: int | None) -> None:
        self._face_size = face_size

    def open(self, photos: Sequence[OpenedPhoto]) -> None:
        """Bring every face to the size of the restorer."""
        for opened in photos:
            assert opened.photo is not None
            picture = opened.photo.eight_bit
            try:
                side = checked_side(opened.file.source, picture.shape[1], picture.shape[0])
                if side < SMALLEST_FACE:
                    raise UserError(
                        f"{opened.file.source}: is {side} x {side} pixels; a face needs at least {SMALLEST_FACE} x "
                        f"{SMALLEST_FACE}"
                    )
            except UserError as error:
                opened.photo, opened.problem = None, str(error)
                continue
            opened.grey = is_grey(picture)
            with opened.timed("align"):
                face = picture if self._face_size is None else resized(picture, self._face_size)
            opened.faces = [FaceCrop(face, None, None)]


def resized(image: UInt8[np.ndarray, "h h 3"], side: int) -> UInt8[np.ndarray, "s s 3"]:
    """Bilinear, as the published script does; by area below half the side, where bilinear would skip pixels."""
    if image.shape[0] == side:
        return image
    interpolation = cv2.INTER_AREA if image.shape[0] > 2 * side else cv2.INTER_LINEAR
    result: np.ndarray = cv2.resize(image, (side, side), interpolation=interpolation)
    return result


def at_least(photo: Photo, side: int) -> Photo:
    """The photo, enlarged bilinearly if its short side is below `side` (codeformer.md 4)."""
    height, width = photo.colour.shape[:2]
    if min(height, width) >= side:
        return photo
    factor = side / min(height, width)
    size = round(width * factor), round(height * factor)
    layers = [photo.colour] if photo.alpha is None else [photo.colour, photo.alpha]
    colour, *alpha = (cv2.resize(layer, size, interpolation=cv2.INTER_LINEAR) for layer in layers)
    return Photo(colour, alpha[0] if alpha else None, photo.profile)
