"""What the evaluation of a restoration backbone measures, and where its records go."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from src.checkpoints.store import StoredRun
from src.config.compose import compose_train
from src.data.benchmark import assemble
from src.jobs.record_folders import record_stem
from src.jobs.recording import Provenance
from src.jobs.subjects import Subject, Trained, subjects
from src.jobs.upstream import Upstreams
from src.settings.commands import TrainConfig
from tests.jobs.difface_runs import finished_run, small_job

GRID = [f"evaluation.difface.starts.{words}" for words in ("solver=[ddim,unipc]", "start=[400]", "steps=[4]")]
LQ = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
FACTS = {"name": "made_up", "split": "test", "seed": 0, "recipe": "none", "recipe_hash": "", "source": ""}


def refuse(stage: str, seed: int) -> None:
    raise AssertionError(f"{stage} should not be trained")


def listed(config: TrainConfig, run: StoredRun) -> list[Subject]:
    """The subjects of a backbone on three faces."""
    names = [f"face{index}" for index in range(len(LQ))]
    benchmark = assemble(**FACTS, hq=None, lq=LQ, names=names, identities=[0] * 3, landmarks=[None] * 3, factors=None)
    provenance = Provenance("run", "0" * 10, [], run.status.weights, {}, {})
    trained = Trained(config, run, Upstreams(config, refuse), provenance, benchmark, torch.device("cpu"))
    return list(subjects(trained))


def test_the_backbone_alone_and_under_the_prior_at_every_setting(tmp_path: Path) -> None:
    prior = finished_run(small_job("diffusion_prior", tmp_path))
    config = small_job("srcnn", tmp_path, "label=srcnn", *GRID, f"upstream.diffusion_prior={prior.folder}")
    run = finished_run(config)
    found = listed(config, run)
    stem = "srcnn-tiny64-codeformer_large-s0"
    assert [(subject.arm, subject.folder, subject.column) for subject in found] == [
        ("input", "input-tiny64-codeformer_large", "input"),
        ("srcnn", f"{stem}/backbone", "backbone"),
        ("srcnn", f"{stem}/ddim-n400-k4-e0.5-textbook-s0", "ddim-n400-k4-e0.5-textbook-s0"),
        ("srcnn", f"{stem}/unipc-n400-k4-s0", "unipc-n400-k4-s0"),
    ]
    assert [subject.is_baseline for subject in found] == [True, False, False, False]
    assert found[1].weights == run.status.weights
    assert found[2].weights == found[3].weights == run.status.weights | prior.status.weights
    assert [subject.restorer.network_evaluations for subject in found[1:]] == [1, 5, 5]
    faces = torch.rand(2, 3, 32, 32) * 2 - 1
    outputs = [subject.restorer.restore(faces, keys=[0, 1]) for subject in found[1:]]
    assert all(output.shape == faces.shape and output.abs().max() <= 1 for output in outputs)


def test_without_settings_the_backbone_needs_no_prior(tmp_path: Path) -> None:
    config = small_job("srcnn", tmp_path, "label=srcnn")
    config = replace(config, evaluation=replace(config.evaluation, difface={}))
    assert [subject.column for subject in listed(config, finished_run(config))] == ["input", "backbone"]


@pytest.mark.parametrize(
    ("words", "stem"),
    [
        (["arm=swinir"], "swinir-tiny64-codeformer_large-s0"),
        (["arm=swinir", "degradation@benchmark.degradation=difface"], "swinir-tiny64-difface-s0"),
        (["arm=srcnn", "degradation@restoration_backbone.degradation=x8"], "srcnn-tiny64-codeformer_large-s0"),
        (["arm=srcnn", "benchmark.root=/sets/celeba_test", "seed=3"], "srcnn-tiny64-celeba_test-s3"),
        (["stage=vqgan", "scale=small128"], "vqgan-small128-codeformer_large-s0"),
    ],
)
def test_a_record_is_named_by_arm_scale_benchmark_and_seed(words: list[str], stem: str) -> None:
    assert record_stem(compose_train(words)) == stem
