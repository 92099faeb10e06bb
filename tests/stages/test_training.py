"""Every stage trains, keeps its own count and average, and resumes bit for bit."""

import copy
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from src.stages.stage import NotFiniteError, Stage
from tests.stages.small import STAGES, VARIANTS, small_config, small_data, small_stage, small_trainer

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


@pytest.mark.parametrize("name", STAGES)
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


@pytest.mark.parametrize("name", STAGES)
def test_a_loss_that_is_not_finite_stops_the_training_and_is_named(name: str, tmp_path: Path) -> None:
    config = small_config(name)
    stage = small_stage(config)
    with torch.no_grad():
        next(p for p in stage.network.parameters() if p.requires_grad).fill_(float("nan"))
    with pytest.raises(NotFiniteError, match=rf"{name}: .*(pixel|token|margin|mse).* at iteration 1"):
        small_trainer(tmp_path).fit(stage, datamodule=small_data(config))
