"""Branches that are kept on disk: made once, the same as made on the way, and another set for other ingredients."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from src.checkpoints.store import StoredRun
from src.data import build_source
from src.data.branch_faces import BranchFaces, FrozenDegradations
from src.data.branch_store import BranchStore, StoredBranches, write_branches
from src.data.levels import to_network
from src.data.stream import Key
from src.jobs.branch_store import branch_store
from src.jobs.build_codeformer_plus_plus import branch_maker
from src.jobs.build_stage import degradation_plan
from src.jobs.training_data import sampling_of_faces
from src.jobs.upstream import Upstreams
from src.settings.commands import TrainConfig
from src.settings.errors import UserError
from tests.jobs.difface_runs import finished_run, small_job


def refuse(stage: str, seed: int) -> None:
    raise AssertionError(f"{stage} should not be trained")


def job(store: Path, *changes: str) -> tuple[TrainConfig, Upstreams]:
    """A registration on rendered faces and an untrained CodeFormer."""
    run: StoredRun = finished_run(small_job("cft", store))
    config = small_job("registration", store, f"upstream.cft={run.folder}", *changes)
    return config, Upstreams(config, refuse)


def test_kept_branches_are_those_of_the_frozen_degradation(tmp_path: Path) -> None:
    config, upstreams = job(tmp_path)
    source = build_source(config.data, split="train", size=32, cache=tmp_path / "faces")
    store = branch_store(config, source, upstreams)
    assert store is not None
    assert len(store) == len(source)
    sampling = sampling_of_faces(config)
    degraded = FrozenDegradations(source, degradation_plan(config), sampling)
    kept = BranchFaces(source, sampling, store)
    maker = branch_maker(config, upstreams)
    for face, epoch in ((0, 0), (3, 0), (3, 5)):
        sample, made_of = kept[Key(9, epoch, face)], degraded[Key(1, 0, face)]
        assert torch.equal(sample["hq"], made_of["hq"])
        branches = maker(to_network(made_of["lq"].permute(2, 0, 1)[None]), [face])
        for name, image in (("identity_branch", branches.identity), ("generative_branch", branches.generative)):
            assert torch.equal(to_network(sample[name].permute(2, 0, 1)[None]), image)
    assert not torch.equal(kept[Key(1, 0, 0)]["identity_branch"], kept[Key(1, 0, 0)]["generative_branch"])


def test_they_are_made_once_and_anew_where_something_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, upstreams = job(tmp_path)
    source = build_source(config.data, split="train", size=32, cache=tmp_path / "faces")
    branch_store(config, source, upstreams)
    folders = set((tmp_path / "cache" / "branches").iterdir())
    times = {path: path.stat().st_mtime_ns for folder in folders for path in folder.iterdir()}
    branch_store(config, source, Upstreams(config, refuse))
    assert {path: path.stat().st_mtime_ns for path in times} == times
    for changed in (
        replace(config, seed=1),
        replace(config, branches=replace(config.branches, generative_fidelity=0.3)),
        replace(config, data=replace(config.data, flip_probability=0.0)),
    ):
        branch_store(changed, source, Upstreams(changed, refuse))
    assert len(set((tmp_path / "cache" / "branches").iterdir()) - folders) == 3
    assert branch_store(replace(config, branches=replace(config.branches, draws="fresh")), source, upstreams) is None


def test_damaged_and_half_written_branches(tmp_path: Path) -> None:
    face = np.zeros((4, 4, 3), np.uint8)
    folder = tmp_path / "some"

    def interrupted():
        yield [StoredBranches(face, face, None)]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_branches(folder, (2, 4), interrupted())
    assert not list(folder.iterdir())
    write_branches(folder, (1, 4), iter([[StoredBranches(face, face + 1, np.ones((2, 5, 2), np.float32))]]))
    kept = BranchStore(folder).of(0)
    assert kept.generative.max() == 1
    assert kept.landmarks is not None
    assert kept.landmarks.shape == (2, 5, 2)
    (folder / "branches.npy").write_bytes(b"nothing")
    with pytest.raises(UserError, match="the cached branches are damaged"):
        BranchStore(folder)
