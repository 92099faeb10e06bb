"""Every stage trains, keeps its own count and average, and resumes bit for bit."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from src.stages.stage import NotFiniteError, Stage
from tests.stages.small import (
    TRAINED_HERE,
    VARIANTS,
    RandomFaces,
    Terms,
    small_config,
    small_data,
    small_stage,
    small_trainer,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:The 'train_dataloader' does not have many workers", "ignore:.*ran out of batches.*"
)


class Stop(pl.Callback):
    """Saves a checkpoint at an iteration and ends the training there, as a killed process would."""

    def __init__(self, at: int, path: Path) -> None:
        self.at, self.path = at, path

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        if pl_module.iteration == self.at:
            trainer.save_checkpoint(self.path)
            raise KeyboardInterrupt


def train(stage_name: str, folder: Path, *callbacks: pl.Callback, checkpoint: Path | None = None) -> Stage:
    config = small_config(stage_name)
    stage = small_stage(config)
    trainer = small_trainer(folder, *callbacks)
    trainer.fit(stage, datamodule=small_data(config), ckpt_path=checkpoint, weights_only=True)
    return stage


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("name", VARIANTS)
def test_resumed_training_equals_the_uninterrupted_one_bit_for_bit(name: str, tmp_path: Path) -> None:
    whole = train(name, tmp_path)
    path = tmp_path / "three.ckpt"
    with pytest.raises(SystemExit):
        train(name, tmp_path, Stop(3, path))
    resumed = train(name, tmp_path, checkpoint=path)
    assert whole.iteration == resumed.iteration == 6
    assert equal(whole.state_dict(), resumed.state_dict())


@pytest.mark.parametrize("name", TRAINED_HERE)
def test_average_differs_from_start_and_live_weights_and_survives_saving(name: str, tmp_path: Path) -> None:
    config = small_config(name, iterations=3)
    stage = small_stage(config)
    start = copy.deepcopy(stage.network.state_dict())
    trainer = small_trainer(tmp_path)
    trainer.fit(stage, datamodule=small_data(config))
    trainer.save_checkpoint(tmp_path / "end.ckpt")
    kept = small_stage(config)
    kept.load_state_dict(torch.load(tmp_path / "end.ckpt", weights_only=True)["state_dict"])
    trained = [key for key, value in stage.network.named_parameters() if value.requires_grad]
    moved = [key for key in trained if not torch.equal(start[key], stage.network.state_dict()[key])]
    average = kept.average.network.state_dict()
    assert moved
    assert all(not torch.equal(average[key], start[key]) for key in moved)
    assert all(not torch.equal(average[key], stage.network.state_dict()[key]) for key in moved)
    assert equal(average, stage.average.network.state_dict())


def test_average_follows_its_formula(tmp_path: Path) -> None:
    config = small_config("code_predictor", iterations=1)
    stage = small_stage(config)
    start = stage.network.position_emb.detach().clone()
    small_trainer(tmp_path).fit(stage, datamodule=small_data(config))
    decay = config.code_predictor.training.ema_decay
    expected = decay * start + (1 - decay) * stage.network.position_emb
    torch.testing.assert_close(stage.average.network.position_emb, expected)


@pytest.mark.parametrize("name", ["code_predictor", "cft"])
def test_frozen_networks_keep_their_weights_and_modes(name: str, tmp_path: Path) -> None:
    config = small_config(name)
    stage = small_stage(config)
    frozen = {"vqgan": stage.vqgan, "codebook": stage.network.quantize, "generator": stage.network.generator}
    before = {key: copy.deepcopy(module.state_dict()) for key, module in frozen.items()}
    small_trainer(tmp_path).fit(stage, datamodule=small_data(config))
    assert all(equal(before[key], module.state_dict()) for key, module in frozen.items())
    stage.train()
    assert not stage.vqgan.network.training
    assert not stage.average.network.training


@pytest.mark.parametrize("name", TRAINED_HERE)
def test_a_loss_that_is_not_finite_stops_the_training_and_is_named(name: str, tmp_path: Path) -> None:
    config = small_config(name)
    stage = small_stage(config)
    with torch.no_grad():
        next(p for p in stage.network.parameters() if p.requires_grad).fill_(float("nan"))
    with pytest.raises(
        NotFiniteError, match=rf"{name}: .*(pixel|token|margin|mse|irregularity|distance).* at iteration 1"
    ):
        small_trainer(tmp_path).fit(stage, datamodule=small_data(config))


@pytest.mark.parametrize("name", ["diffusion_prior", "srcnn"])
def test_the_gradient_of_a_step_is_shortened_to_the_greatest_norm(name: str, tmp_path: Path) -> None:
    def norm(limit: float) -> float:
        stage_key = VARIANTS[name][0]
        config = small_config(name, 1, f"{stage_key}.training.gradient_clip={limit}")
        stage = small_stage(config)
        small_trainer(tmp_path).fit(stage, datamodule=small_data(config))
        return torch.stack([weight.grad.norm() for weight in stage.network.parameters()]).norm().item()

    free = norm(0.0)
    assert norm(2 * free) == pytest.approx(free)
    assert norm(free / 8) == pytest.approx(free / 8, rel=1e-4)


class DarkFaces(RandomFaces):
    """Noise in which there is something to learn: its mean."""

    def image(self, index: int) -> np.ndarray:
        return super().image(index) // 4


@pytest.mark.parametrize("name", ["diffusion_prior", "srcnn", "restoration_backbone"])
def test_the_objective_of_difface_falls(name: str, tmp_path: Path) -> None:
    stage_key, term = VARIANTS[name][0], "mse" if name == "diffusion_prior" else "pixel"
    rate = f"{stage_key}.training.learning_rate"
    config = small_config(name, 30, f"{rate}.initial=3e-3", f"{rate}.kind=constant")
    terms = Terms()
    small_trainer(tmp_path, terms).fit(small_stage(config), datamodule=small_data(config, DarkFaces()))
    curve = [found[term] for found in terms.of_iteration]
    assert len(curve) == 30
    assert sum(curve[-5:]) < 0.8 * sum(curve[:5])


@pytest.mark.parametrize("name", ["diffusion_prior", "restoration_backbone", "srcnn"])
def test_bfloat16_trains_float32_weights_on_nearly_the_same_loss(name: str, tmp_path: Path) -> None:
    config = small_config(name, iterations=2)

    def trained(precision: str) -> tuple[Stage, list[dict[str, float]]]:
        stage, terms = small_stage(config), Terms()
        small_trainer(tmp_path, terms, precision=precision).fit(stage, datamodule=small_data(config))
        return stage, terms.of_iteration

    (_, full), (stage, half) = trained("32-true"), trained("bf16-mixed")
    assert {weight.dtype for weight in stage.parameters()} == {torch.float32}
    assert half != full
    for found, expected in zip(half, full, strict=True):
        assert found == pytest.approx(expected, rel=0.03)
