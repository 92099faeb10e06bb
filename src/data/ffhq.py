"""FFHQ as it is published: 70,000 numbered images, landmarks and categories in `ffhq-dataset-v2.json` (arXiv 1812.04948)."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32

from src.data.file_tree import FileTree
from src.data.listing import LANDMARK_COLUMNS, Listing
from src.data.numbered_images import NumberedSet, list_beside, numbered_images
from src.data.splits import assign_splits
from src.settings.data import FolderSettings
from src.settings.errors import UserError

FFHQ = NumberedSet(
    name="FFHQ",
    layout="ffhq",
    count=70_000,
    levels=("images1024x1024", "images512x512", "images256x256", "images128x128", "thumbnails128x128"),
    example="00000/00123.png",
)
METADATA = "ffhq-dataset-v2.json"
LANDMARK_SIDE = 1024
"""The landmarks are pixels of the aligned image of this side."""
HELD_OUT = "validation"


@dataclass(frozen=True)
class ImageMetadata:
    """What is known about an image."""

    category: str
    """training or validation."""
    points: Float32[np.ndarray, "5 2"]


def list_ffhq(tree: FileTree, settings: FolderSettings) -> Listing:
    """Rows with landmarks and split, where the metadata lies with the images or one folder above.

    Images of the category "training" are for training; the others are dealt to validation and test in the ratio of
    `settings.validation_fraction` and `settings.test_fraction`.

    Raises:
        UserError: an image is none of FFHQ's; the metadata cannot be read or lack an image.
    """
    files, notices = numbered_images(tree, FFHQ)
    found = list_beside(tree, [METADATA])
    if found is None:
        lack = f"{tree.root}: no {METADATA}, so without landmarks, and split by the fractions"
        return Listing(rows=[{"file": file} for file in files.values()], where=str(tree.root), notices=(*notices, lack))
    where, content = found
    known = _parsed(where, content)
    missing = [files[number] for number in sorted(files.keys() - known.keys())]
    if missing:
        raise UserError(f"{where}: lacks {missing[0]} and {len(missing) - 1:,} more images; fetch the file anew")
    splits = _splits(files, known, settings)
    rows = [{"file": file, "split": splits[number], **_cells(known[number])} for number, file in files.items()]
    return Listing(rows=rows, where=where, notices=notices, landmark_side=LANDMARK_SIDE)


def five_points(points: Float32[np.ndarray, "68 2"]) -> Float32[np.ndarray, "5 2"]:
    """Eyes (means of six points), nose tip and mouth corners of the 68 points of iBUG 300-W; left is left in the picture."""
    eyes = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    return np.stack([*eyes, points[30], points[48], points[54]]).astype(np.float32)


def _splits(files: dict[int, str], known: dict[int, ImageMetadata], settings: FolderSettings) -> dict[int, str]:
    held_out = [number for number in sorted(files) if known[number].category == HELD_OUT]
    splits = dict.fromkeys(files, "train") | dict.fromkeys(held_out, "validation")
    shares = settings.validation_fraction, settings.test_fraction
    if shares[1] > 0:
        names = [files[number] for number in held_out]
        to_validation = 0.0 if shares[0] <= 0 else shares[0] / sum(shares)
        dealt = assign_splits(
            names, names, validation_fraction=to_validation, test_fraction=0.0, seed=settings.split_seed
        )
        for number, split in zip(held_out, dealt, strict=True):
            splits[number] = "validation" if split == "validation" else "test"
    return splits


def _cells(known: ImageMetadata) -> dict[str, str]:
    return dict(zip(LANDMARK_COLUMNS, map(str, known.points.ravel().tolist()), strict=True))


_LAST_PARSED: dict[str, dict[int, ImageMetadata]] = {}
"""The published file takes seconds to parse, and every split needs it."""


def _parsed(where: str, content: bytes) -> dict[int, ImageMetadata]:
    digest = hashlib.sha256(content).hexdigest()
    if digest not in _LAST_PARSED:
        try:
            records = json.loads(content, object_hook=_reduced)
            parsed = {
                int(number): ImageMetadata(record["category"], record["image"]) for number, record in records.items()
            }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{where}: is not the metadata of FFHQ ({error}); fetch the file anew") from None
        _LAST_PARSED.clear()
        _LAST_PARSED[digest] = parsed
    return _LAST_PARSED[digest]


def _reduced(record: dict[str, Any]) -> Any:
    # Applied while parsing: all records with their lists of points would take gigabytes.
    if "face_landmarks" not in record:
        return record if "category" in record or "photo_url" not in record else None
    if "face_quad" in record:
        return None  # of the photograph before it was aligned
    points = np.array(record["face_landmarks"], np.float32)
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise ValueError(f"{len(points)} landmarks instead of 68 of {record.get('file_path')}")
    return five_points(points)
