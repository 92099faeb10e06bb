"""The frozen list of (hq, lq) pairs that every arm of a comparison is evaluated on."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from src.data.source import FaceSource
from src.degradation.engine import degrade
from src.degradation.recipes import recipe_hash
from src.settings.data import BenchmarkSettings
from src.settings.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Read-only pairs; all arrays have one row a face, images are RGB."""

    name: str
    split: str
    seed: int
    recipe: str
    """Name of the degradation recipe."""
    recipe_hash: str
    source: str
    """Fingerprint of the source."""
    hq: UInt8[np.ndarray, "n s s 3"]
    lq: UInt8[np.ndarray, "n s s 3"]
    names: tuple[str, ...]
    identities: Int64[np.ndarray, "n"]
    """Labels of the split; equal labels are one person."""
    landmarks: Float32[np.ndarray, "n 5 2"] | None
    """(x, y) in pixels; None unless every face has them."""
    hash: str
    """SHA-256 over names, pixels and the recipe's hash: equal exactly if two evaluations are comparable."""

    def __len__(self) -> int:
        return len(self.names)

    def manifest(self) -> dict[str, Any]:
        """What to keep with a record: plain values, with a SHA-256 of the pixels of every pair."""
        return {
            "name": self.name,
            "split": self.split,
            "count": len(self),
            "size": int(self.hq.shape[1]),
            "seed": self.seed,
            "recipe": self.recipe,
            "recipe_hash": self.recipe_hash,
            "source": self.source,
            "hash": self.hash,
            "faces": [
                {"name": name, "identity": int(label), "hq": _sha256(hq), "lq": _sha256(lq)}
                for name, label, hq, lq in zip(self.names, self.identities, self.hq, self.lq, strict=True)
            ],
        }


def build_benchmark(source: FaceSource, settings: BenchmarkSettings, name: str) -> Benchmark:
    """The first `settings.count` faces of the source (all, if it has fewer), degraded with key (seed, epoch 0, index).

    `source` is the split that `settings.split` names. The pixels depend on the faces, the recipe and the seed alone.

    Raises:
        UserError: `count` is not positive.
    """
    if settings.count < 1:
        raise UserError(f"benchmark.count: {settings.count} must be 1 or more")
    indices = range(min(settings.count, len(source)))
    recipe = settings.degradation
    hq = np.stack([source.image(index) for index in indices])
    lq = np.stack(
        [degrade(face, recipe, seed=settings.seed, index=index) for index, face in zip(indices, hq, strict=True)]
    )
    names = tuple(source.name(index) for index in indices)
    return Benchmark(
        name=name,
        split=settings.split,
        seed=settings.seed,
        recipe=recipe.name,
        recipe_hash=recipe_hash(recipe),
        source=source.fingerprint(),
        hq=_frozen(hq),
        lq=_frozen(lq),
        names=names,
        identities=_frozen(np.array([source.identity(index) for index in indices], np.int64)),
        landmarks=_landmarks(source, indices),
        hash=_benchmark_hash(names, hq, lq, recipe_hash(recipe)),
    )


def _landmarks(source: FaceSource, indices: range) -> Float32[np.ndarray, "n 5 2"] | None:
    found = [points for points in map(source.landmarks, indices) if points is not None]
    return _frozen(np.stack(found)) if len(found) == len(indices) else None


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array


def _benchmark_hash(
    names: tuple[str, ...], hq: UInt8[np.ndarray, "n s s 3"], lq: UInt8[np.ndarray, "n s s 3"], recipe: str
) -> str:
    digest = hashlib.sha256("\0".join((recipe, str(hq.shape), *names)).encode())
    digest.update(hq.tobytes())
    digest.update(lq.tobytes())
    return digest.hexdigest()


def _sha256(image: UInt8[np.ndarray, "s s 3"]) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()
