"""Training samples of CodeFormer++ whose branches are kept: each face has one flip and one degradation for good."""

import torch

from src.data.branch_store import BranchStore
from src.data.source import FaceSource
from src.data.stream import Key
from src.data.training_set import CleanFaces, DegradedFaces, Sample, Sampling

FROZEN_EPOCH = 0
"""The pass over the faces whose draws every later pass repeats."""


def frozen(key: Key) -> Key:
    """The key with the draws of the first pass."""
    return key._replace(epoch=FROZEN_EPOCH)


class FrozenDegradations(DegradedFaces):
    """Faces with their degraded copies, the same in every pass; what the branches are made of."""

    def __getitem__(self, key: Key) -> Sample:
        return super().__getitem__(frozen(key))


class BranchFaces(CleanFaces):
    """Clean faces with their kept branches "identity_branch" and "generative_branch", and the landmarks of these."""

    def __init__(self, source: FaceSource, sampling: Sampling, branches: BranchStore) -> None:
        super().__init__(source, sampling)
        self._branches = branches

    def __getitem__(self, key: Key) -> Sample:
        sample = super().__getitem__(frozen(key))
        kept = self._branches.of(sample["key"].face)
        sample["identity_branch"] = torch.from_numpy(kept.identity)
        sample["generative_branch"] = torch.from_numpy(kept.generative)
        if kept.landmarks is not None:
            sample["branch_landmarks"] = torch.from_numpy(kept.landmarks)
        return sample
