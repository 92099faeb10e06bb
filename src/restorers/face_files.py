"""Which aligned faces a restoration reads, and which files it writes. Imports no torch."""

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from src.data.image_file import IMAGE_SUFFIXES, checked_side, image_files, read_rgb
from src.settings.errors import UserError

GRID = "grid.png"
REPORT = "restore.json"
SMALLEST = 8
"""Side below which an image holds no face that could be restored, pixels."""


@dataclass(frozen=True)
class FaceFile:
    """A degraded face and the file for its restoration."""

    source: Path
    target: Path


def plan_faces(given: str, output: str, *, overwrite: bool) -> list[FaceFile]:
    """The faces in `given`, an image or a folder (also its sub-folders, which are repeated in `output`).

    A target is named as its source, with suffix .png; sources that would share one name keep theirs inside the name
    (a_jpg.png and a_png.png). Files below `output` are no sources.

    Raises:
        UserError: `given` does not exist or holds no image; `output` is a file or would replace a source; a target
            exists and `overwrite` is not set.
    """
    source, folder = Path(given).expanduser(), Path(output).expanduser()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"output: {folder} is a file; give a folder")
    sources = _sources(source, folder)
    root = source if source.is_dir() else source.parent
    targets = _targets([path.relative_to(root) for path in sources], folder)
    _check_targets(sources, targets, folder, overwrite)
    return [FaceFile(path, target) for path, target in zip(sources, targets, strict=True)]


def read_face(path: Path, side: int | None) -> UInt8[np.ndarray, "s s 3"]:
    """An aligned face as RGB, `resized` to `side` (codeformer.md 4, aligned mode); None keeps its size.

    Raises:
        UserError: the file is damaged, no image, not square, or smaller than `SMALLEST`.
    """
    image = read_rgb(path)
    found = checked_side(path, image.shape[1], image.shape[0])
    if found < SMALLEST:
        raise UserError(f"{path}: is {found} x {found} pixels; a face needs at least {SMALLEST} x {SMALLEST}")
    return image if side is None else resized(image, side)


def resized(image: UInt8[np.ndarray, "h h 3"], side: int) -> UInt8[np.ndarray, "s s 3"]:
    """Bilinear, as the published script does; by area below half the side, where bilinear would skip pixels."""
    if image.shape[0] == side:
        return image
    interpolation = cv2.INTER_AREA if image.shape[0] > 2 * side else cv2.INTER_LINEAR
    result: np.ndarray = cv2.resize(image, (side, side), interpolation=interpolation)
    return result


def _sources(source: Path, folder: Path) -> list[Path]:
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise UserError(f"input: {source} does not exist; give an image or a folder of aligned faces")
    own = folder.resolve()
    inside = own != source.resolve()
    found = [path for path in image_files(source) if not (inside and path.resolve().is_relative_to(own))]
    if not found:
        raise UserError(f"input: the folder {source} holds no image ({', '.join(IMAGE_SUFFIXES)})")
    return found


def _targets(names: list[Path], folder: Path) -> list[Path]:
    plain = [name.with_suffix(".png") for name in names]
    uses = Counter([*map(_key, plain), GRID])
    taken = {key for key, count in uses.items() if count == 1} | {GRID}
    targets = []
    for source, target in zip(names, plain, strict=True):
        if uses[_key(target)] > 1:
            target = next(name for name in _names_with_suffix(source) if _key(name) not in taken)
            taken.add(_key(target))
        targets.append(folder / target)
    return targets


def _key(name: Path) -> str:
    """Equal for names that one file system or another takes for the same."""
    return str(name).lower()


def _names_with_suffix(source: Path) -> Iterator[Path]:
    stem = f"{source.stem}_{source.suffix[1:]}"
    yield source.with_name(f"{stem}.png")
    yield from (source.with_name(f"{stem}_{number}.png") for number in itertools.count(2))


def _check_targets(sources: list[Path], targets: list[Path], folder: Path, overwrite: bool) -> None:
    originals = {path.resolve() for path in sources}
    written = [*targets, folder / GRID, folder / REPORT]
    replaced = [path for path in written if path.resolve() in originals]
    if replaced:
        raise UserError(f"output: {replaced[0]} is one of the inputs and would be replaced; give another folder")
    existing = [path for path in written if path.exists()]
    if existing and not overwrite:
        more = f" and {len(existing) - 1} more files" if len(existing) > 1 else ""
        raise UserError(f"output: {existing[0]}{more} would be replaced; give another folder or overwrite=true")
