"""A training that is killed goes on as if it had not been; a checkpoint that is damaged is passed over."""

import json
from pathlib import Path

import pytest
import torch

from tests.jobs.broken_off import trained_by
from tests.jobs.killed_training import AT_THE_END, KILLS, STAGES

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def runs(root: Path, tmp_path_factory: pytest.TempPathFactory, forked_python: str) -> Path:
    """A folder for every stage: an uninterrupted run, one that was killed, and how its attempts ended."""
    return trained_by("tests.jobs.killed_training", tmp_path_factory.mktemp("killed"), forked_python, root)


@pytest.mark.parametrize("stage", STAGES)
def test_twenty_kills_in_a_row_change_nothing(runs: Path, stage: str) -> None:
    whole, killed = runs / stage / "whole", runs / stage / "killed"
    ends = json.loads((runs / stage / "ends.json").read_text())
    assert len(KILLS) == 20
    assert sorted(moment for moment, *_ in ends[:20]) == sorted(moment for moment, _ in KILLS)
    assert [status for _, status, _ in ends] == [-9] * (len(KILLS) + len(AT_THE_END)) + [0]
    assert "finished" not in [state for *_, state in ends[:-1]]
    assert_same_run(killed, whole)
    assert (whole / "images" / "iteration_0000064.png").exists()
    assert_same(*(torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True) for folder in (killed, whole)))


def assert_same_run(folder: Path, whole: Path) -> None:
    """Compare the files of two runs byte by byte; temporary ones of killed processes may be left."""
    kinds = (".jsonl", ".png", ".safetensors")
    files = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.suffix in kinds)
    assert {path.suffix for path in files} == set(kinds)
    for name in files:
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name


def assert_same(found: object, expected: object) -> None:
    """Compare nested containers of tensors bit for bit."""
    assert type(found) is type(expected)
    if isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected)
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected:
            assert_same(found[key], expected[key])
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    else:
        assert found == expected
