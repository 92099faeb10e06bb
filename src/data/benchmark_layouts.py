"""Published test sets, and folders of one's own, as benchmarks (weights_and_data.md 2, codeformer.md 5)."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from tqdm import tqdm

from src.checkpoints.files import sha256_of
from src.data.benchmark import Benchmark, assemble
from src.data.frozen_benchmark import load_frozen
from src.data.frozen_manifest import is_frozen
from src.data.image_file import IMAGE_SUFFIXES, checked_side, image_files, read_rgb
from src.data.image_stack import empty_stack
from src.settings.errors import UserError


@dataclass(frozen=True)
class PublishedSet:
    """A published test set."""

    name: str
    count: int
    paired: bool
    """Whether clean originals belong to it."""
    spelling: str
    """The folder names it goes by, reduced to what `_essence` leaves."""


PUBLISHED_SETS = (
    PublishedSet("CelebA-Test", 3000, True, "celeba"),
    PublishedSet("LFW-Test", 1711, False, "lfw"),
    PublishedSet("WebPhoto-Test", 407, False, "webphotos?"),
    PublishedSet("WIDER-Test", 970, False, "wider"),
    PublishedSet("CelebChild-Test", 180, False, "(celeb)?child(ren)?"),
)
"""Counts: codeformer.md 5; that of CelebChild-Test: arXiv 2101.04061."""

HQ_NAMES = ("hq", "gt", "hr")
LQ_NAMES = ("lq", "lr", "input", "inputs")
FILLERS = r"[^a-z0-9]|tests?|cropped|faces|aligned|images|validation|512|lq"
"""Parts of a folder's name that say nothing about which test set it is."""
AS_PUBLISHED = "as published"
NO_RECIPE = "none"


@dataclass(frozen=True)
class Layout:
    """A folder of faces to restore, with or without their clean originals."""

    name: str
    """The test set, or the folder's name."""
    expected: int | None
    """Faces in the published set; None for a folder of one's own."""
    found: int
    """Low-quality faces here."""
    hq: Path | None
    lq: Path

    @property
    def title(self) -> str:
        """The name, with both counts if they differ."""
        short = self.expected is not None and self.expected != self.found
        return f"{self.name} ({self.found:,} of {self.expected:,})" if short else self.name

    @property
    def notice(self) -> str | None:
        """One line if the count is not the published one, without the place, because it goes into records."""
        if self.title == self.name:
            return None
        return f"{self.name} has {self.expected:,} faces, this folder {self.found:,}: numbers are not comparable"


def open_benchmark(folder: Path, size: int) -> Benchmark:
    """The benchmark in a folder: frozen, a published test set, or any pairs or low-quality faces.

    Raises:
        UserError: there is none; see also `load_frozen` and `load_layout`.
    """
    folder = folder.expanduser()
    if not is_frozen(folder):
        return load_layout(folder, size)
    benchmark = load_frozen(folder)
    if benchmark.size != size:
        raise UserError(
            f"{folder}: holds faces of {benchmark.size} pixels, {size} are needed; make a benchmark of that size, or "
            "choose another scale"
        )
    return benchmark


def recognise(folder: Path) -> Layout | None:
    """What a folder holds, by the names of it and its sub-folders; None if there is no image in it.

    Pairs lie in two sub-folders: hq, gt or hr beside lq, lr or input, or any `x` (or `x_hq`, `x_gt`) beside `x_lq`.

    Raises:
        UserError: the folder is missing, or what it holds is ambiguous.
    """
    folder = folder.expanduser().absolute()
    if not folder.is_dir():
        raise UserError(f"{folder}: is no folder; give the folder of a test set")
    hq, lq = _sides(_descended(folder))
    found = len(image_files(lq))
    if not found:
        return None
    candidates = [published for published in PUBLISHED_SETS if published.paired == (hq is not None)]
    known = _published(_telling_names(hq or lq, folder), candidates)
    if known is None:
        return Layout(folder.name, None, found, hq, lq)
    return Layout(known.name, known.count, found, hq, lq)


def load_layout(folder: Path, size: int) -> Benchmark:
    """The faces of a folder at `size` pixels a side; others are averaged over areas or enlarged bicubically, and noted.

    Raises:
        UserError: there is no image, an image has no partner, is damaged or not square.
    """
    layout = recognise(folder)
    if layout is None:
        raise UserError(f"{folder}: holds no image; give the folder of a test set")
    lq = _by_name(layout.lq)
    hq = None if layout.hq is None else _by_name(layout.hq)
    if hq is not None:
        _check_partners(layout, hq, lq)
    names = sorted(lq)
    notes = [] if layout.notice is None else [layout.notice]
    return assemble(
        name=layout.title,
        split="test",
        seed=None,
        recipe=AS_PUBLISHED,
        recipe_hash=NO_RECIPE,
        source=_fingerprint(names, hq, lq),
        hq=None if hq is None else _read([hq[name] for name in names], size, "hq", notes),
        lq=_read([lq[name] for name in names], size, "lq", notes),
        names=names,
        identities=list(range(len(names))),
        landmarks=[None] * len(names),
        notes=notes,
    )


def _descended(folder: Path) -> Path:
    """The folder itself, or the only one in it, as archives are often packed."""
    inside = _sub_folders(folder)
    only = next(iter(inside)) if len(inside) == 1 else None
    if only is None or only in HQ_NAMES + LQ_NAMES or _holds_images(folder):
        return folder
    return _descended(inside[only])


def _sides(folder: Path) -> tuple[Path | None, Path]:
    """The folders of clean (None if there is none) and of low-quality faces."""
    inside = _sub_folders(folder)
    pairs = [(hq, lq) for lq in inside for hq in _partners(lq) if hq in inside]
    alone = [lq for lq in inside if lq in LQ_NAMES]
    several = [name for name in inside if _published([_essence(name)], PUBLISHED_SETS)]
    if len(pairs) == 1:
        return inside[pairs[0][0]], inside[pairs[0][1]]
    if pairs or len(alone) > 1 or (len(several) > 1 and not _holds_images(folder)):
        choices = [name for pair in pairs for name in pair] or alone or several
        raise UserError(f"{folder}: holds several sets ({', '.join(dict.fromkeys(choices))}); give the folder of one")
    if not alone and any(name in HQ_NAMES for name in inside):
        raise UserError(f"{folder}: holds clean faces without degraded ones; put those in a folder lq beside them")
    return None, inside[alone[0]] if alone else folder


def _partners(lq: str) -> list[str]:
    """Names that the clean faces' folder may have beside `lq`."""
    if lq in LQ_NAMES:
        return list(HQ_NAMES)
    stem = re.fullmatch(r"(.+)([-_])lq", lq)
    return [stem[1], *(f"{stem[1]}{stem[2]}{hq}" for hq in HQ_NAMES)] if stem else []


def _sub_folders(folder: Path) -> dict[str, Path]:
    """Visible sub-folders by their names in lower case, sorted."""
    found = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__MACOSX")))
    return {path.name.lower(): path for path in found}


def _holds_images(folder: Path) -> bool:
    return any(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.iterdir())


def _telling_names(inner: Path, outer: Path) -> list[str]:
    """Essences of the folders from the faces' own out to the one given; the next one outside if these tell nothing."""
    outwards = [inner, *inner.parents]
    names = [_essence(path.name) for path in outwards[: outwards.index(outer) + 1]]
    return [name for name in names if name] or [_essence(outer.parent.name)]


def _essence(name: str) -> str:
    """What is left of a folder's name without its `FILLERS`."""
    return "" if name.lower() in HQ_NAMES + LQ_NAMES else re.sub(FILLERS, "", name.lower())


def _published(names: Sequence[str], candidates: Sequence[PublishedSet]) -> PublishedSet | None:
    found = (known for name in names for known in candidates if re.fullmatch(known.spelling, name))
    return next(found, None)


def _by_name(folder: Path) -> dict[str, Path]:
    """The image files below a folder by their paths in it, without suffix."""
    found: dict[str, Path] = {}
    for path in image_files(folder):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise UserError(f"{folder}: {found[name].name} and {path.name} share the name {name}; remove one of them")
        found[name] = path
    return found


def _check_partners(layout: Layout, hq: dict[str, Path], lq: dict[str, Path]) -> None:
    alone = [lq[name] for name in sorted(lq.keys() - hq.keys())] + [hq[name] for name in sorted(hq.keys() - lq.keys())]
    if alone:
        raise UserError(
            f"{alone[0]}: has no partner of the same name, like {len(alone) - 1:,} others ({len(hq):,} clean and "
            f"{len(lq):,} low-quality faces in all); add or remove files until all are pairs"
        )


def _fingerprint(names: Sequence[str], hq: dict[str, Path] | None, lq: dict[str, Path]) -> str:
    """SHA-256 over the names and contents of all files."""
    digest = hashlib.sha256()
    for name in names:
        contents = [sha256_of(files[name]) for files in (hq, lq) if files is not None]
        digest.update("\0".join((name, *contents, "")).encode())
    return digest.hexdigest()


def _read(files: Sequence[Path], size: int, side: str, notes: list[str]) -> UInt8[np.ndarray, "n s s 3"]:
    images = empty_stack(len(files), size)
    resized = []
    title = f"reading {side} of {len(files):,} faces"
    for index, path in enumerate(tqdm(files, desc=title, unit="face", leave=False, disable=None)):
        image = read_rgb(path)
        own = checked_side(path, image.shape[1], image.shape[0])
        if own != size:
            resized.append(own)
            interpolation = cv2.INTER_AREA if own > size else cv2.INTER_CUBIC
            image = cv2.resize(image, (size, size), interpolation=interpolation)
        images[index] = image
    if resized:
        sides = f"{min(resized)}" if min(resized) == max(resized) else f"{min(resized)} to {max(resized)}"
        notes.append(f"{len(resized):,} of {len(files):,} {side} faces resized from {sides} to {size} pixels")
    return images
