"""Small folders, archives and stores of random faces."""

import csv
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from src.data import build_source
from src.data.listing import LANDMARK_COLUMNS
from src.data.source import FaceSource
from src.data.splits import SPLITS
from src.settings.data import DataSettings, FolderSettings


def folder_settings(root: Path, **changes) -> FolderSettings:
    values = {"table": None, "layout": "none", "validation_fraction": 0.2, "test_fraction": 0.2, "split_seed": 0}
    values |= {"kind": "folder", "flip_probability": 0.0, "on_damaged": "stop", "root": str(root)}
    return FolderSettings(**(values | changes))


def write_face(path: Path, number: int, side: int = 24) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (side, side, 3), np.uint8)).save(path)


def write_folder(root: Path, count: int = 20, side: int = 24) -> Path:
    """Faces in sub-folders with a table: two of each identity, landmarks of every second face."""
    rows = []
    for number in range(count):
        file = f"{number // 4}/{number:03d}.png"
        write_face(root / file, number, side)
        points = {column: number + 0.1 * k for k, column in enumerate(LANDMARK_COLUMNS)} if number % 2 else {}
        rows.append({"file": file, "identity": f"p{number // 2}"} | points)
    with (root / "faces.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, ["file", "identity", *LANDMARK_COLUMNS])
        writer.writeheader()
        writer.writerows(rows)
    return root


def zipped(root: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        for path in sorted(root.rglob("*.*")):
            made.write(path, path.relative_to(root).as_posix())
    return archive


def splits_of(settings: DataSettings, size: int) -> dict[str, FaceSource]:
    return {split: build_source(settings, split=split, size=size, cache=None) for split in SPLITS}


def content_of(settings: DataSettings, size: int) -> list[tuple]:
    """Everything that a source tells of its faces."""
    found = []
    for split, source in splits_of(settings, size).items():
        for index in range(len(source)):
            points = source.landmarks(index)
            told = source.name(index), source.identity(index), source.identities
            found.append((split, *told, source.image(index).tobytes(), None if points is None else points.tobytes()))
    return found
