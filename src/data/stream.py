"""The endless training stream: which face an iteration sees is a function of (seed, iteration) alone."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from torch.utils.data import Sampler


class Key(NamedTuple):
    """Everything that a training sample depends on, besides the seed."""

    iteration: int
    epoch: int
    face: int


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, length: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(length)


def keys_of_iteration(iteration: int, *, length: int, batch_size: int, seed: int) -> list[Key]:
    """Keys of the global batch of an iteration (counted from 1): consecutive places of one shuffled pass after another."""
    first = (iteration - 1) * batch_size
    places = (divmod(place, length) for place in range(first, first + batch_size))
    return [Key(iteration, epoch, int(_order(seed, epoch, length)[place])) for epoch, place in places]


class StreamSampler(Sampler[list[Key]]):
    """Batches of keys for one rank, from iteration `start` + 1 to `iterations`.

    Its length is the whole training, so that a resumed loop counts on from where it stopped.
    """

    def __init__(
        self, *, length: int, batch_size: int, seed: int, iterations: int, start: int, rank: int, world_size: int
    ) -> None:
        self._batch = {"length": length, "batch_size": batch_size, "seed": seed}
        self._iterations, self._start = iterations, start
        self._rank, self._world_size = rank, world_size

    def __len__(self) -> int:
        return self._iterations

    def __iter__(self) -> Iterator[list[Key]]:
        for iteration in range(self._start + 1, self._iterations + 1):
            yield keys_of_iteration(iteration, **self._batch)[self._rank :: self._world_size]
