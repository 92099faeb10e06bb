"""CLR-Face's autoencoder and encoder resume bit for bit, name a loss that is not finite, and train on two processes."""

from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from src.stages.stage import NotFiniteError, Stage
from tests.stages.small import small_data, small_trainer
from tests.stages.small_latent import latent_config, latent_stage
from tests.stages.test_training import Stop, equal
from tests.stages.two_ranks import hashes_of_two

pytestmark = pytest.mark.filterwarnings(
    "ignore:The 'train_dataloader' does not have many workers", "ignore:.*ran out of batches.*"
)
STAGES = ("latent_vqgan", "latent_encoder")


def train(name: str, folder: Path, *callbacks: pl.Callback, checkpoint: Path | None = None) -> Stage:
    config = latent_config(name)
    stage = latent_stage(config)
    trainer = small_trainer(folder, *callbacks)
    trainer.fit(stage, datamodule=small_data(config), ckpt_path=checkpoint, weights_only=True)
    return stage


@pytest.mark.parametrize("name", STAGES)
def test_resumed_training_equals_the_uninterrupted_one_bit_for_bit(name: str, tmp_path: Path) -> None:
    """With the codebook's start before the break only, and a restart of dead codes before it."""
    whole = train(name, tmp_path)
    path = tmp_path / "three.ckpt"
    with pytest.raises(SystemExit):
        train(name, tmp_path, Stop(3, path))
    resumed = train(name, tmp_path, checkpoint=path)
    assert whole.iteration == resumed.iteration == 6
    assert equal(whole.state_dict(), resumed.state_dict())


@pytest.mark.parametrize("name", STAGES)
def test_a_latent_that_is_not_finite_stops_the_training_and_is_named(name: str, tmp_path: Path) -> None:
    config = latent_config(name)
    stage = latent_stage(config)
    with torch.no_grad():
        next(stage.network.parameters()).fill_(float("nan"))
    with pytest.raises(NotFiniteError, match=f"{name}: latent became NaN or infinite at iteration 1"):
        small_trainer(tmp_path).fit(stage, datamodule=small_data(config))


@pytest.mark.parametrize("name", STAGES)
def test_ranks_stay_in_sync(name: str, tmp_path: Path, forked_python: str) -> None:
    """Centres and revived codes come from the latents of rank 0."""
    first, second = hashes_of_two("two_latent_ranks", name, tmp_path, forked_python)
    assert first == second
