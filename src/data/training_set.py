"""Training samples: a face, perhaps flipped, and its degraded copy, both uint8."""

from typing import TypedDict

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from src.data.plan import DegradationPlan
from src.data.source import FaceSource
from src.data.stream import Key
from src.degradation.draw import keyed_generator
from src.degradation.engine import degrade


class Sample(TypedDict):
    """One training sample as it leaves a worker, or a batch of them (leading b)."""

    hq: UInt8[Tensor, "*b 3 h w"]
    lq: UInt8[Tensor, "*b 3 h w"]
    identity: Int[Tensor, "*b"]
    index: Int[Tensor, "*b"]


def to_tensor(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[Tensor, "3 h w"]:
    """An image as a contiguous channels-first tensor."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))


class TrainingSet(Dataset[Sample]):
    """Faces of a source, degraded by a plan; a sample is a function of (seed, key) alone."""

    def __init__(self, source: FaceSource, plan: DegradationPlan, *, seed: int, flip_probability: float) -> None:
        self._source, self._plan = source, plan
        self._seed, self._flip_probability = seed, flip_probability

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, key: Key) -> Sample:
        hq = self._source.image(key.face)
        if keyed_generator(self._seed, key.epoch, key.face, "flip").random() < self._flip_probability:
            hq = np.ascontiguousarray(hq[:, ::-1])
        recipe = self._plan(key, self._seed)
        lq = hq if recipe is None else degrade(hq, recipe, seed=self._seed, index=key.face, epoch=key.epoch)
        return {
            "hq": to_tensor(hq),
            "lq": to_tensor(lq),
            "identity": torch.tensor(self._source.identity(key.face)),
            "index": torch.tensor(key.face),
        }
