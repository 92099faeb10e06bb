"""What a restoration leaves behind for one photo."""

import glob
import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from src.checkpoints.files import atomic_path
from src.photos.opened import FaceCrop, OpenedPhoto
from src.photos.photo_file import Photo, write_photo
from src.photos.plan import PhotoFile
from src.settings.errors import UserError

COMPARISON_SIDE = 1024
"""Longest side of one half of the side-by-side picture, pixels."""
GAP = 4
DIGITS = 3
"""Decimals of lengths and scores in reports."""


def write_result(opened: OpenedPhoto, result: Photo) -> None:
    """Write the whole photo, its crops and faces, and the comparison.

    Raises:
        UserError: a file cannot be written.
    """
    assert opened.photo is not None
    with opened.timed("encode"):
        write_photo(opened.file.result, result)
        write_faces(opened.file, [face for face in opened.faces if face.found is not None])
        write_picture(opened.file.comparison, comparison(opened.photo.eight_bit, result.eight_bit))


def write_faces(file: PhotoFile, faces: list[FaceCrop], prefix: str = "") -> None:
    """Write every face before and after restoration."""
    if not prefix:
        _remove_earlier(file)
    for number, face in enumerate(faces):
        assert face.restored is not None
        write_picture(file.crop(f"{prefix}{number:02d}"), face.crop)
        write_picture(file.face(f"{prefix}{number:02d}"), face.restored)


def _remove_earlier(file: PhotoFile) -> None:
    """An earlier restoration of the same photo may have left more faces."""
    for path in (file.crop("00"), file.face("00")):
        for earlier in path.parent.glob(f"{glob.escape(file.name.name)}_*.png"):
            if re.fullmatch(r"\d{2,}", earlier.stem.removeprefix(f"{file.name.name}_")):
                earlier.unlink()


def write_picture(path: Path, picture: UInt8[np.ndarray, "h w 3"]) -> None:
    """Write a plain PNG.

    Raises:
        UserError: it cannot be written.
    """
    write_photo(path, Photo(picture, None, None))


def comparison(before: UInt8[np.ndarray, "h w 3"], after: UInt8[np.ndarray, "_ _ 3"]) -> UInt8[np.ndarray, "_ _ 3"]:
    """Input and result side by side, both at the size of the result, or smaller where that is large."""
    height, width = after.shape[:2]
    scale = min(1.0, COMPARISON_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    halves = [_to_size(picture, size) for picture in (before, after)]
    gap = np.full((size[1], GAP, 3), 255, np.uint8)
    return np.hstack([halves[0], gap, halves[1]])


def _to_size(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if (picture.shape[1], picture.shape[0]) == size:
        return picture
    shrinks = picture.shape[1] > size[0]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def report_of(opened: OpenedPhoto) -> dict[str, Any]:
    """Everything that is known of a restored photo, in plain values."""
    assert opened.photo is not None
    width, height = opened.original_size
    return {
        "input": str(opened.file.source),
        "result": opened.file.result.relative_to(opened.file.output).as_posix(),
        "width": width,
        "height": height,
        "bits": 8 * opened.photo.colour.dtype.itemsize,
        "transparency": opened.photo.alpha is not None,
        "grey": opened.grey,
        "faces": faces_of(opened),
        "faces_left_out": opened.left_out,
        "seconds": {part: round(spent, 6) for part, spent in opened.seconds.items()},
    }


def faces_of(opened: OpenedPhoto) -> list[dict[str, Any]]:
    """Boxes, landmarks and scores, in pixels of the input file."""
    assert opened.photo is not None
    # A small photo was enlarged before detection.
    scale = opened.original_size[0] / opened.photo.colour.shape[1]
    return [
        {
            "box": _rounded((face.found.box + 0.5) * scale - 0.5),
            "landmarks": _rounded((face.found.landmarks + 0.5) * scale - 0.5),
            "score": round(face.found.score, DIGITS),
        }
        for face in opened.faces
        if face.found is not None
    ]


def write_report(file: PhotoFile, content: dict[str, Any]) -> None:
    """Write the JSON of one input.

    Raises:
        UserError: it cannot be written.
    """
    try:
        with atomic_path(file.report) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n")
    except OSError as error:
        raise UserError(f"{file.report}: cannot be written ({error.strerror or error})") from None


def _rounded(values: np.ndarray) -> Any:
    return np.round(values.astype(float), DIGITS).tolist()
