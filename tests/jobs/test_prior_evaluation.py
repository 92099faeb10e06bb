"""A diffusion prior is measured on held-out faces."""

import json
from pathlib import Path

import pytest
import torch

from src.checkpoints.store import StoredRun
from src.data.image_file import read_rgb
from src.data.levels import to_levels
from src.degradation.keyed import SampleKey
from src.degradation.keyed_images import keyed_noise
from src.diffusion.denoising import unconditional_samples
from src.jobs.prior_evaluation import NOISE, SampledFaces, evaluate_prior
from src.restorers.prior_file import load_prior
from src.settings.commands import TrainConfig
from tests.jobs.difface_runs import finished_run, small_job

CPU = torch.device("cpu")


@pytest.fixture
def job(tmp_path: Path) -> tuple[TrainConfig, StoredRun]:
    config = small_job("diffusion_prior", tmp_path, "metrics=offline", "evaluation.batch_size=4")
    return config, finished_run(config)


def test_errors_by_timestep_and_distances_of_samples_are_written(
    job: tuple[TrainConfig, StoredRun], capsys: pytest.CaptureFixture[str]
) -> None:
    config, run = job
    distances = evaluate_prior(config, run, CPU)
    written = json.loads((run.folder / "denoising.json").read_text())
    assert written["samples"] == distances
    assert {"fd_mobilenetv2", "kd_mobilenetv2"} <= distances.keys()
    assert (written["n"], written["steps"]) == (6, 3)
    assert list(written["mse"]) == ["0", "111", "222", "333", "444", "555", "666", "777", "888", "999"]
    assert all(error > 0 for error in written["mse"].values())
    assert "6 samples against held-out faces: " in capsys.readouterr().out
    assert read_rgb(run.folder / "images" / "samples.png").std() > 0
    assert evaluate_prior(config, run, CPU) == distances


def test_a_sample_is_that_of_its_number_in_any_batch(job: tuple[TrainConfig, StoredRun]) -> None:
    _, run = job
    prior = load_prior(run.weights_file("diffusion_prior"))
    samples = SampledFaces(prior, 3, 32, CPU)
    both = samples.batch([4, 1]).int()
    for place, number in enumerate((4, 1)):
        noise = keyed_noise([SampleKey(0, 0, number)], NOISE, 32, CPU)
        alone = to_levels(unconditional_samples(prior.schedule, prior, noise, 3, clip=1.0).clamp(-1, 1))
        assert (both[place] - alone[0].int()).abs().max() <= 1
    assert (both[0] - both[1]).abs().max() > 50
