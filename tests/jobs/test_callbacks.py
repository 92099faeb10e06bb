"""What is written while a diffusion prior trains."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from src.data.image_file import read_rgb
from src.data.levels import to_network
from src.jobs.callbacks import DenoisingCurve, FaceGrid
from src.stages.diffusion_prior import DiffusionPriorStage
from tests.stages.small import small_config, small_data, small_stage, small_trainer

pytestmark = pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
FACES = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3), np.uint8)


def test_the_denoising_curve_is_a_line_at_every_nth_and_at_the_last_iteration(tmp_path: Path) -> None:
    config = small_config("diffusion_prior", iterations=5)
    stage = small_stage(config)
    assert isinstance(stage, DiffusionPriorStage)
    shown = [DenoisingCurve(tmp_path, FACES, every=2, last=5), FaceGrid(tmp_path, FACES, FACES, every=0, last=5)]
    small_trainer(tmp_path, *shown).fit(stage, datamodule=small_data(config))
    lines = [json.loads(line) for line in (tmp_path / "denoising_curve.jsonl").read_text().splitlines()]
    assert [line["iteration"] for line in lines] == [2, 4, 5]
    curve = stage.denoising_curve(to_network(torch.from_numpy(FACES.transpose(0, 3, 1, 2).copy())))
    assert lines[-1]["mse"] == {str(timestep): error for timestep, error in curve.items()}
    assert lines[0]["mse"] != lines[-1]["mse"]
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["iteration_0000005.png"]
    assert read_rgb(tmp_path / "images" / "iteration_0000005.png").std() > 0


def test_other_stages_have_no_denoising_curve(tmp_path: Path) -> None:
    config = small_config("srcnn", iterations=1)
    callback = DenoisingCurve(tmp_path, FACES, every=1, last=1)
    small_trainer(tmp_path, callback).fit(small_stage(config), datamodule=small_data(config))
    assert not (tmp_path / "denoising_curve.jsonl").exists()
