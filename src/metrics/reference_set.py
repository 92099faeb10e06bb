"""Features of a folder of faces that others are compared with, kept by the hash of what they were made from."""

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps
from tqdm import tqdm

from src.checkpoints.files import atomic_path, sha256_of
from src.checkpoints.plain_files import read_regular
from src.data.image_file import DECODE_ERRORS
from src.faces.open_picture import open_picture
from src.metrics.face_batch import Extractor
from src.metrics.set_distances import Moments, moments
from src.settings.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
MOST_KEPT = 5000
"""Up to so many faces their features are kept beside the moments: a kernel distance goes over all pairs."""
BATCH = 32
"""Faces a pass."""
THREADS = min(8, os.cpu_count() or 1)
FORMAT = 1
"""Of the kept files; another one is computed anew."""

Face = UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True)
class ReferenceFolder:
    """The images of a folder and its sub-folders."""

    folder: Path
    files: tuple[Path, ...]
    sha256: str
    """Of the sorted hashes of the files: of what they hold, whatever they are called."""


@dataclass(frozen=True)
class ReferenceFeatures:
    """What distances need to know of a reference set."""

    moments: Moments
    features: Float[np.ndarray, "n d"] | None
    """Of every face; None above `MOST_KEPT`."""


def image_files(folder: Path) -> tuple[Path, ...]:
    """The images in a folder and its sub-folders by name; empty where there is no such folder."""
    return tuple(sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()))


def read_folder(folder: Path, cache: Path | None) -> ReferenceFolder:
    """The images and their hash; files of unchanged size and time of change are not read again where a cache is given."""
    files = image_files(folder)
    digests = sorted(_digests(folder, files, cache))
    return ReferenceFolder(folder, files, hashlib.sha256("\n".join(digests).encode()).hexdigest())


def _digests(folder: Path, files: Sequence[Path], cache: Path | None) -> list[str]:
    place = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    listing = None if cache is None else cache / "reference_sets" / f"listing-{place}.json"
    known = _read_listing(listing)
    states = [path.stat() for path in files]
    marks = [f"{path}:{state.st_size}:{state.st_mtime_ns}" for path, state in zip(files, states, strict=True)]
    with ThreadPoolExecutor(THREADS) as pool:
        digests = list(pool.map(lambda mark, path: known.get(mark) or sha256_of(path), marks, files))
    current = dict(zip(marks, digests, strict=True))
    if listing is not None and current != known:
        with atomic_path(listing) as temporary:
            temporary.write_text(json.dumps(current))
    return digests


def _read_listing(path: Path | None) -> dict[str, str]:
    try:
        kept = json.loads(path.read_text()) if path is not None else {}
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def reference_features(
    reference: ReferenceFolder,
    extractor: Extractor,
    extractor_sha256: str,
    *,
    device: torch.device,
    cache: Path | None,
    side: int | None = None,
) -> ReferenceFeatures:
    """Features of the images, from the cache where they were computed before; a damaged file of the cache is replaced.

    Images are decoded to 8-bit RGB. Where `side` is given, those of another size are brought to it by Pillow's Lanczos.

    Raises:
        UserError: there are fewer than two images, one cannot be decoded or measured, or with `side` is not square.
    """
    if len(reference.files) < 2:
        raise UserError(f"{reference.folder}: holds {len(reference.files)} images, a reference set needs at least two")
    parts = (str(FORMAT), extractor.key, extractor_sha256, str(side), reference.sha256)
    name = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    kept = None if cache is None else cache / "reference_sets" / f"{name}.npz"
    found = _read(kept)
    if found is None:
        found = _summary(_extracted(reference, extractor, device, side))
        _write(kept, found)
    return found


def _summary(features: Float[np.ndarray, "n d"]) -> ReferenceFeatures:
    return ReferenceFeatures(moments(features), features if len(features) <= MOST_KEPT else None)


def _read(path: Path | None) -> ReferenceFeatures | None:
    if path is None:
        return None
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as kept:
            features = kept["features"]
            return ReferenceFeatures(Moments(kept["mean"], kept["root"]), features if len(features) else None)
    except (OSError, EOFError, ValueError, KeyError, MemoryError, zipfile.BadZipFile):
        return None


def _write(path: Path | None, found: ReferenceFeatures) -> None:
    if path is None:
        return
    features = np.empty((0, len(found.moments.mean)), np.float32) if found.features is None else found.features
    with atomic_path(path) as temporary:
        np.savez(temporary, mean=found.moments.mean, root=found.moments.root, features=features)


@torch.inference_mode()
def _extracted(
    reference: ReferenceFolder, extractor: Extractor, device: torch.device, side: int | None
) -> Float[np.ndarray, "n d"]:
    rows = []
    with tqdm(total=len(reference.files), desc=f"reference {reference.folder.name}", unit="face", disable=None) as bar:
        for faces in _batches(reference.files, lambda path: decode_face(path, side)):
            images = torch.from_numpy(faces).to(device).permute(0, 3, 1, 2).float() / 255
            with torch.autocast(device.type, enabled=False):
                rows.append(extractor(images, None).float().cpu().numpy())
            bar.update(len(faces))
    features = np.concatenate(rows)
    if lost := [path for path, row in zip(reference.files, features, strict=True) if not np.isfinite(row).all()]:
        raise UserError(f"{lost[0]}: has no finite features ({extractor.key}); remove it from the reference set")
    return features


def _batches(files: Sequence[Path], decode: Callable[[Path], Face]) -> Iterator[UInt8[np.ndarray, "b h w 3"]]:
    """Faces in order, side by side only where they have one size."""
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(files), BATCH):
            decoded = pool.map(decode, files[start : start + BATCH])
            for _, faces in groupby(decoded, key=lambda face: face.shape):
                yield np.stack(list(faces))


def decode_face(path: Path, side: int | None = None) -> Face:
    """An image as 8-bit RGB, upright, and where `side` is given of that side.

    Raises:
        UserError: it cannot be decoded, has more than 8 bits a channel, or with `side` is not square.
    """
    try:
        with open_picture(read_regular(path)) as opened:
            if opened.mode.startswith(("I", "F")):
                raise UserError(f"{path}: has more than 8 bits a channel; save it as an 8-bit image")
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except DECODE_ERRORS as error:
        raise UserError(
            f"{path}: cannot be decoded ({error}); replace it or take it out of the reference set"
        ) from None
    if side is not None and picture.size != (side, side):
        if picture.width != picture.height:
            raise UserError(f"{path}: is {picture.width} x {picture.height} pixels; faces of a reference are squares")
        picture = picture.resize((side, side), Image.Resampling.LANCZOS)
    return np.array(picture)
