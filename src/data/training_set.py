"""Training samples: a face, perhaps flipped, and its degraded copy, 8-bit, as they lie in memory (HWC)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

import cv2
import numpy as np
import torch
from jaxtyping import Float32, Int, UInt8
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from src.data.code_targets import CodeTargets
from src.data.damage import DamagePolicy
from src.data.plan import DegradationPlan
from src.data.rendered_truth import mirrored68, truth_of
from src.data.source import FaceSource
from src.data.stream import Key
from src.degradation.engine import degrade_pair
from src.degradation.keyed import SampleKey, keyed_uniforms, stream_number

Face = UInt8[np.ndarray, "s s 3"]
FLIP_STREAM = stream_number("flip")
EXACT = ("landmarks", "parts")
"""What `Sampling.exact` may name."""


class Sample(TypedDict):
    """One training sample as it leaves a worker."""

    hq: UInt8[Tensor, "s s 3"]
    lq: NotRequired[UInt8[Tensor, "s s 3"]]
    """Missing where the device degrades."""
    codes: NotRequired[Int[Tensor, "codes"]]
    """Target codes of `hq`, where they are cached."""
    landmarks: NotRequired[Float32[Tensor, "68 2"]]
    """Exact landmarks of `hq` as (x, y) in pixels, iBUG order, where they are asked for."""
    parts: NotRequired[UInt8[Tensor, "s s"]]
    """Exact part map of `hq`, where it is asked for."""
    identity_branch: NotRequired[UInt8[Tensor, "s s 3"]]
    generative_branch: NotRequired[UInt8[Tensor, "s s 3"]]
    """The branches of CodeFormer++, where they are kept."""
    branch_landmarks: NotRequired[Float32[Tensor, "2 k 2"]]
    """Of both branches, array indices."""
    identity: Int[Tensor, ""]
    index: Int[Tensor, ""]
    key: Key
    """What the sample was made from."""
    skipped: bool
    """Whether the face stands in for a damaged image."""


@dataclass(frozen=True)
class Sampling:
    """How a face becomes a sample."""

    seed: int
    flip_probability: float
    damage: DamagePolicy
    exact: tuple[str, ...] = ()
    """What of `EXACT` the samples carry; known of rendered faces alone."""


class CleanFaces(Dataset[Sample]):
    """Faces of a source, perhaps flipped, with their target codes if there are any; a function of (seed, key) alone.

    Raises:
        UserError: `sampling.exact` asks for what is not known of these faces.
    """

    def __init__(self, source: FaceSource, sampling: Sampling, codes: CodeTargets | None = None) -> None:
        self._source, self._sampling, self._codes = source, sampling, codes
        # Made here, once, and not in every loader process.
        self._truth = truth_of(source) if sampling.exact else None

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, key: Key) -> Sample:
        found, hq = self._sampling.damage.read(self._source, key)
        flipped = self._is_flipped(found)
        sample = self._sample(found, cv2.flip(hq, 1) if flipped else hq)
        sample["skipped"] = found != key
        return self._with_truth(self._with_codes(sample, flipped), flipped)

    def _sample(self, key: Key, hq: Face) -> Sample:
        return {
            "hq": torch.from_numpy(hq),
            "identity": torch.tensor(self._source.identity(key.face)),
            "index": torch.tensor(key.face),
            "key": key,
            "skipped": False,
        }

    def _with_codes(self, sample: Sample, flipped: bool) -> Sample:
        if self._codes is not None:
            sample["codes"] = torch.from_numpy(self._codes.of(sample["key"].face, flipped))
        return sample

    def _with_truth(self, sample: Sample, flipped: bool) -> Sample:
        face = sample["key"].face
        if self._truth is not None and "landmarks" in self._sampling.exact:
            points = self._truth.landmarks68(face)
            sample["landmarks"] = torch.from_numpy(mirrored68(points, self._source.size) if flipped else points)
        if self._truth is not None and "parts" in self._sampling.exact:
            parts = self._truth.parts(face)
            sample["parts"] = torch.from_numpy(cv2.flip(parts, 1) if flipped else parts)
        return sample

    def _is_flipped(self, key: Key) -> bool:
        chance = keyed_uniforms(SampleKey(self._sampling.seed, key.epoch, key.face), FLIP_STREAM, 1)[0]
        return bool(chance < self._sampling.flip_probability)


class DegradedFaces(CleanFaces):
    """Faces with their degraded copies, chosen by a plan."""

    def __init__(
        self, source: FaceSource, plan: DegradationPlan, sampling: Sampling, codes: CodeTargets | None = None
    ) -> None:
        super().__init__(source, sampling, codes)
        self._plan = plan

    def _sample(self, key: Key, hq: Face) -> Sample:
        chain = self._plan(key, self._sampling.seed)
        if chain is None:
            target = lq = hq
        else:
            target, lq = degrade_pair(hq, chain, SampleKey(self._sampling.seed, key.epoch, key.face))
        return super()._sample(key, target) | {"lq": torch.from_numpy(lq)}


def collate(samples: Sequence[Sample]) -> dict[str, Any]:
    """A batch: tensors stacked, keys as a list and skipped ones counted, because these are read on the CPU."""
    tensors = [{name: value for name, value in sample.items() if isinstance(value, Tensor)} for sample in samples]
    return default_collate(tensors) | {
        "keys": [sample["key"] for sample in samples],
        "skipped": sum(sample["skipped"] for sample in samples),
    }
