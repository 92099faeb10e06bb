"""The frozen list of (hq, lq) pairs that every arm of a comparison is evaluated on."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from src.data.image_stack import empty_stack
from src.data.source import FaceSource
from src.degradation.chain import chain_of
from src.degradation.engine import degrade_pair
from src.degradation.keyed import SampleKey
from src.degradation.severity import downscale_factors
from src.settings.data import BenchmarkSettings
from src.settings.errors import UserError

Faces = UInt8[np.ndarray, "n s s 3"]


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Read-only faces, degraded or low in quality, with their clean originals; all arrays have one row a face, RGB."""

    name: str
    split: str
    seed: int | None
    """Seed of the degradation; None where it was not made here."""
    recipe: str
    """Name of the degradation recipe."""
    recipe_hash: str
    source: str
    """Fingerprint of the source."""
    hq: UInt8[np.ndarray, "n s s 3"] | None
    """None for real photographs, of which no clean original exists."""
    lq: UInt8[np.ndarray, "n s s 3"]
    names: tuple[str, ...]
    identities: Int64[np.ndarray, "n"]
    """Labels of the split; equal labels are one person."""
    landmarks: Float32[np.ndarray, "n 5 2"] | None
    """(x, y) in pixels; None unless every face has them."""
    hash: str
    """SHA-256 over names, pixels and the recipe's hash: equal exactly if two evaluations are comparable."""
    factors: Float32[np.ndarray, "n"] | None = None
    """How many times each face was shrunk; None where it was not degraded here."""
    notes: tuple[str, ...] = ()
    """Sentences on what differs from the images as they were given."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def size(self) -> int:
        """Side of every image, pixels."""
        return int(self.lq.shape[1])

    def clean_faces(self) -> UInt8[np.ndarray, "n s s 3"]:
        """`hq`.

        Raises:
            UserError: there are none.
        """
        if self.hq is None:
            raise UserError(
                f"benchmark: {self.name} holds photographs without clean originals, which the metrics with a reference "
                "need; choose a benchmark of pairs"
            )
        return self.hq

    def manifest(self) -> dict[str, Any]:
        """What to keep with a record: plain values, with a SHA-256 of the pixels of every face."""
        return {**self.facts(), "faces": [self._face(index) for index in range(len(self))]}

    def facts(self) -> dict[str, Any]:
        """The manifest without the single faces."""
        return {
            "name": self.name,
            "split": self.split,
            "count": len(self),
            "size": self.size,
            "seed": self.seed,
            "recipe": self.recipe,
            "recipe_hash": self.recipe_hash,
            "source": self.source,
            "hash": self.hash,
            "notes": list(self.notes),
        }

    def _face(self, index: int) -> dict[str, Any]:
        return {
            "name": self.names[index],
            "identity": int(self.identities[index]),
            "hq": None if self.hq is None else pixel_hash(self.hq[index]),
            "lq": pixel_hash(self.lq[index]),
        }


def build_benchmark(source: FaceSource, settings: BenchmarkSettings, name: str) -> Benchmark:
    """The first `settings.count` faces of the source (all, if it has fewer), degraded with key (seed, epoch 0, index).

    `source` is the split that `settings.split` names. The pixels depend on the faces, the recipe and the seed alone.

    Raises:
        UserError: `count` is not positive, or the recipe cannot be used.
    """
    if settings.count < 1:
        raise UserError(f"benchmark.count: {settings.count} must be 1 or more")
    indices = range(min(settings.count, len(source)))
    chain = chain_of(settings.degradation, "benchmark.degradation")
    hq, lq = (empty_stack(len(indices), source.size) for _ in range(2))
    for index in indices:
        key = SampleKey(settings.seed, 0, index)
        hq[index], lq[index] = degrade_pair(source.image(index), chain, key)
    return assemble(
        name=name,
        split=settings.split,
        seed=settings.seed,
        recipe=chain.name,
        recipe_hash=chain.hash,
        source=source.fingerprint(),
        hq=hq,
        lq=lq,
        factors=downscale_factors(chain, settings.seed, len(indices), source.size),
        names=[source.name(index) for index in indices],
        identities=[source.identity(index) for index in indices],
        landmarks=[source.landmarks(index) for index in indices],
    )


def assemble(
    *,
    name: str,
    split: str,
    seed: int | None,
    recipe: str,
    recipe_hash: str,
    source: str,
    hq: Faces | None,
    lq: Faces,
    names: Sequence[str],
    identities: Sequence[int],
    landmarks: Sequence[Float32[np.ndarray, "5 2"] | None],
    factors: Float32[np.ndarray, "n"] | None = None,
    notes: Sequence[str] = (),
) -> Benchmark:
    """A benchmark of these faces, its arrays frozen and its hash taken."""
    points = [found for found in landmarks if found is not None]
    return Benchmark(
        name=name,
        split=split,
        seed=seed,
        recipe=recipe,
        recipe_hash=recipe_hash,
        source=source,
        hq=None if hq is None else _frozen(hq),
        lq=_frozen(lq),
        names=tuple(names),
        identities=_frozen(np.array(identities, np.int64)),
        landmarks=_frozen(np.stack(points)) if len(points) == len(names) else None,
        hash=_benchmark_hash(names, hq, lq, recipe_hash),
        factors=factors,
        notes=tuple(notes),
    )


def pixel_hash(image: UInt8[np.ndarray, "s s 3"]) -> str:
    """SHA-256 of the pixels, row by row as RGB."""
    return hashlib.sha256(np.ascontiguousarray(image).data).hexdigest()


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array


def _benchmark_hash(names: Sequence[str], hq: Faces | None, lq: Faces, recipe: str) -> str:
    shape = str(lq.shape) if hq is not None else f"{lq.shape} without hq"
    digest = hashlib.sha256("\0".join((recipe, shape, *names)).encode())
    for faces in (hq, lq):
        for image in () if faces is None else faces:
            digest.update(image.data)
    return digest.hexdigest()
