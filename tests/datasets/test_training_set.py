"""What a training sample consists of: the target with the recipe's changes, cached codes, damaged images, the device."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from src.data.code_targets import CodeTargets, targets_path, write_code_targets
from src.data.damage import Skip, Stop, damage_policy
from src.data.device_degradation import DeviceDegradation
from src.data.image_file import DamagedImage
from src.data.plan import Always, Clean, DegradationPlan, Share
from src.data.stream import Key, StreamSampler
from src.data.training_set import CleanFaces, DegradedFaces, Sampling, collate
from src.degradation.chain import chain_of
from src.degradation.recipes import load_recipe
from src.settings.errors import UserError
from tests.degradation.chains import chain
from tests.stages.small import RandomFaces

HOW = Sampling(seed=3, flip_probability=0.5, damage=Stop())
LARGE = chain_of(load_recipe("codeformer_large"))


class BrokenFaces(RandomFaces):
    """Faces of which some cannot be decoded."""

    def __init__(self, broken: set[int]) -> None:
        super().__init__()
        self._broken = broken

    def image(self, index: int) -> np.ndarray:
        if index in self._broken:
            raise DamagedImage(f"folder/face_{index}.png: is damaged (cut short); replace or remove it")
        return super().image(index)


def test_a_recipe_that_greys_the_target_greys_hq_too() -> None:
    faces = DegradedFaces(RandomFaces(), Always(chain(grey={"of_target": True})), HOW)
    sample = faces[Key(1, 0, 0)]
    assert torch.equal(sample["hq"], sample["lq"])
    assert torch.equal(sample["hq"], sample["hq"][..., :1].expand(32, 32, 3))


def test_a_damaged_image_stops_the_training_with_its_path() -> None:
    faces = CleanFaces(BrokenFaces({2}), HOW)
    faces[Key(1, 0, 1)]
    with pytest.raises(UserError, match=r"folder/face_2\.png: is damaged"):
        faces[Key(1, 0, 2)]


def test_a_damaged_image_may_be_skipped_and_is_counted() -> None:
    faces = DegradedFaces(BrokenFaces({2, 3}), Always(LARGE), replace(HOW, damage=damage_policy("skip")))
    with pytest.warns(UserWarning, match=r"face_\d\.png: is damaged .* skipped, because data.on_damaged=skip") as told:
        samples = [faces[Key(1, 5, face)] for face in (1, 2, 3, 2)]
    assert [sample["index"].item() for sample in samples] == [1, 4, 4, 4]
    assert len(told) == 2  # each is named once
    batch = collate(samples)
    assert batch["skipped"] == 3
    whole = DegradedFaces(RandomFaces(), Always(LARGE), HOW)[Key(1, 5, 4)]
    assert torch.equal(samples[1]["lq"], whole["lq"])
    assert torch.equal(samples[1]["hq"], whole["hq"])


@pytest.mark.filterwarnings("ignore:.*is damaged")
def test_skipping_ends_where_every_image_is_damaged() -> None:
    with pytest.raises(UserError, match="every image is damaged"):
        CleanFaces(BrokenFaces(set(range(10))), replace(HOW, damage=Skip()))[Key(1, 0, 0)]


def test_codes_come_with_the_way_round_that_the_face_is_shown(tmp_path: Path) -> None:
    path = targets_path(tmp_path, vqgan="a" * 64, faces="b" * 64, split="train", size=32)
    codes = np.arange(10 * 2 * 4, dtype=np.int16).reshape(10, 2, 4)
    write_code_targets(path, (10, 4), iter([codes[:7], codes[7:]]))
    faces = CleanFaces(RandomFaces(), HOW, CodeTargets(path))
    upright = RandomFaces()
    ways = set()
    for epoch in range(6):
        sample = faces[Key(1, epoch, 3)]
        flipped = not np.array_equal(sample["hq"].numpy(), upright.image(3))
        assert sample["codes"].tolist() == codes[3, int(flipped)].tolist()
        ways.add(flipped)
    assert ways == {True, False}


def test_a_broken_cache_of_codes_is_told_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "codes.npy").write_bytes(b"\x93NUMPY\x01\x00")
    with pytest.raises(UserError, match=r"codes\.npy: the cached codes are damaged .* delete the file"):
        CodeTargets(tmp_path / "codes.npy")


def test_an_interrupted_write_leaves_no_codes(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        write_code_targets(tmp_path / "codes.npy", (3, 4), iter([np.zeros((2, 2, 4), np.int16)]))
    assert not list(tmp_path.iterdir())


def sampler(start: int = 0, rank: int = 0, world_size: int = 1) -> StreamSampler:
    return StreamSampler(length=10, batch_size=8, seed=3, iterations=5, start=start, rank=rank, world_size=world_size)


def on_device(plan: DegradationPlan, workers: int, part: StreamSampler) -> dict[Key, list[torch.Tensor]]:
    """Target and degraded face of every key, degraded batch by batch."""
    loader = DataLoader(CleanFaces(RandomFaces(), HOW), batch_sampler=part, collate_fn=collate, num_workers=workers)
    found = {}
    for batch in loader:
        hq, lq = DeviceDegradation(plan, seed=3)(batch["hq"].permute(0, 3, 1, 2).contiguous(), batch["keys"])
        found |= {key: pair for key, *pair in zip(batch["keys"], hq, lq, strict=True)}
    return found


@pytest.mark.parametrize("plan", [Always(LARGE), Clean(), Share(LARGE, 0.5)], ids=["always", "clean", "share"])
@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on machines of fewer than four cores
def test_the_device_gives_what_the_loader_gives(plan: DegradationPlan) -> None:
    """In whatever process and batch a face comes: workers 0, 1 and 4, the halves of two ranks, resumed within a pass."""
    expected = list(
        DataLoader(DegradedFaces(RandomFaces(), plan, HOW), batch_sampler=sampler(), collate_fn=collate, num_workers=0)
    )
    found = on_device(plan, 1, sampler(rank=0, world_size=2)) | on_device(plan, 4, sampler(rank=1, world_size=2))
    resumed = on_device(plan, 0, sampler(start=2))
    assert len(resumed) == 24
    assert all(torch.equal(one, two) for key in resumed for one, two in zip(resumed[key], found[key], strict=True))
    differing = total = 0
    for batch in expected:
        for key, hq, lq in zip(batch["keys"], batch["hq"], batch["lq"], strict=True):
            target, degraded = (image.permute(1, 2, 0) for image in found[key])
            assert torch.equal(target, hq)
            differing += int((degraded != lq).sum())
            total += lq.numel()
    assert differing <= 0.003 * total
