"""The training stream: what an iteration sees depends on (seed, iteration) alone."""

from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from src.data.damage import Stop
from src.data.plan import Always, Clean, ImageOrCode, Share
from src.data.stream import Key, StreamSampler, keys_of_iteration
from src.data.training_set import DegradedFaces, Sampling, collate
from src.degradation.chain import Chain, chain_of
from src.degradation.recipes import load_joint, load_recipe
from src.settings.stages import FidelityPhase
from tests.stages.small import RandomFaces

STREAM = {"length": 10, "batch_size": 4, "seed": 3}


def batches(start: int = 0, rank: int = 0, world_size: int = 1, iterations: int = 20) -> list[list[Key]]:
    """All batches of a rank."""
    place = {"start": start, "rank": rank, "world_size": world_size}
    return list(StreamSampler(**STREAM, iterations=iterations, **place))


HOW = Sampling(seed=3, flip_probability=0.5, damage=Stop())


@pytest.fixture(scope="module")
def recipe() -> Chain:
    return chain_of(load_recipe("codeformer_small"))


def test_every_pass_is_a_permutation_of_its_own() -> None:
    keys = [key for iteration in range(1, 11) for key in keys_of_iteration(iteration, **STREAM)]
    passes = [[key.face for key in keys if key.epoch == epoch] for epoch in range(4)]
    assert all(sorted(faces) == list(range(10)) for faces in passes)
    assert len({tuple(faces) for faces in passes}) == 4
    assert [key.epoch for key in keys] == sorted(key.epoch for key in keys)
    assert [key.iteration for key in keys] == [place // 4 + 1 for place in range(40)]


def test_a_batch_may_be_larger_than_a_pass() -> None:
    keys = keys_of_iteration(1, length=3, batch_size=8, seed=0)
    assert [key.epoch for key in keys] == [0, 0, 0, 1, 1, 1, 2, 2]


def test_seed_gives_another_order() -> None:
    assert keys_of_iteration(1, **STREAM) != keys_of_iteration(1, **STREAM | {"seed": 4})


def test_ranks_share_the_batch_of_a_single_process() -> None:
    for both, *parts in zip(batches(), batches(rank=0, world_size=2), batches(rank=1, world_size=2), strict=True):
        assert [key for pair in zip(*parts, strict=True) for key in pair] == both
        assert [len(part) for part in parts] == [2, 2]


@pytest.mark.parametrize("start", [1, 5, 6, 19, 20])
def test_a_late_start_gives_the_rest_of_the_whole_stream(start: int) -> None:
    """Iteration 5 ends a pass exactly; 6 starts within one."""
    assert batches(start=start) == batches()[start:]
    assert len(StreamSampler(**STREAM, iterations=20, start=start, rank=0, world_size=1)) == 20


def samples(workers: int, recipe: Chain, iterations: int = 6, seed: int = 3) -> list[dict[str, Any]]:
    """Batches as a stage gets them."""
    faces = DegradedFaces(RandomFaces(), Always(recipe), replace(HOW, seed=seed))
    sampler = StreamSampler(**STREAM | {"seed": seed}, iterations=iterations, start=0, rank=0, world_size=1)
    return list(DataLoader(faces, batch_sampler=sampler, collate_fn=collate, num_workers=workers))


def equal(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> bool:
    return len(a) == len(b) and all(
        one.keys() == two.keys()
        and all(torch.equal(value, two[name]) for name, value in one.items() if isinstance(value, torch.Tensor))
        and one["keys"] == two["keys"]
        for one, two in zip(a, b, strict=True)
    )


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on machines of fewer than four cores
def test_samples_are_byte_equal_whatever_the_workers(recipe: Chain) -> None:
    alone = samples(0, recipe)
    assert alone[0]["hq"].dtype == torch.uint8
    assert alone[0]["lq"].shape == (4, 32, 32, 3)
    assert all(equal(samples(workers, recipe), alone) for workers in (1, 4))
    assert not equal(samples(0, recipe, seed=4), alone)


def test_a_face_is_degraded_anew_in_every_pass_and_flipped_with_its_copy(recipe: Chain) -> None:
    faces = DegradedFaces(RandomFaces(), Always(recipe), HOW)
    clean = DegradedFaces(RandomFaces(), Clean(), HOW)
    seen = [faces[Key(1, epoch, 2)] for epoch in range(8)]
    assert len({sample["lq"].numpy().tobytes() for sample in seen}) == 8
    upright = torch.from_numpy(RandomFaces().image(2))
    flips = [torch.equal(sample["hq"], upright.flip(1)) for sample in seen]
    assert all(flip or torch.equal(sample["hq"], upright) for flip, sample in zip(flips, seen, strict=True))
    assert set(flips) == {True, False}
    unchanged = clean[Key(1, 0, 2)]
    assert torch.equal(unchanged["hq"], unchanged["lq"])
    assert torch.equal(unchanged["hq"], seen[0]["hq"])


def test_the_iteration_itself_changes_no_pixel(recipe: Chain) -> None:
    faces = DegradedFaces(RandomFaces(), Always(recipe), HOW)
    assert torch.equal(faces[Key(1, 0, 2)]["lq"], faces[Key(99, 0, 2)]["lq"])


def test_image_iterations_get_the_small_degradation() -> None:
    small, large = map(chain_of, load_joint("codeformer_joint"))
    phases = [
        FidelityPhase(until=2, image_every=1, fidelity=1.0),
        FidelityPhase(until=4, image_every=0, fidelity=0.0),
        FidelityPhase(until=9, image_every=3, fidelity=1.3),
    ]
    plan = ImageOrCode(phases, small, large)
    chosen = [plan(Key(iteration, 0, 0), 0) for iteration in range(1, 10)]
    assert small != large
    assert [recipe == small for recipe in chosen] == [True, True, False, False, False, True, False, False, True]
    assert all(recipe in (small, large) for recipe in chosen)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_share_degrades_that_part_of_the_samples(recipe: Chain, share: float) -> None:
    plan = Share(recipe, share)
    chosen = [plan(Key(1, epoch, face), 0) is recipe for epoch in range(20) for face in range(50)]
    assert np.mean(chosen) == pytest.approx(share, abs=3 * np.sqrt(share * (1 - share) / 1000))
    assert chosen == [plan(Key(7, epoch, face), 0) is recipe for epoch in range(20) for face in range(50)]


def test_the_length_of_the_stream_is_not_bound_to_the_number_of_faces() -> None:
    sampler = StreamSampler(**STREAM, iterations=10**9, start=10**9 - 3, rank=0, world_size=1)
    assert [keys[0].iteration for keys in islice(sampler, 5)] == [10**9 - 2, 10**9 - 1, 10**9]
