"""CLR-Face's score model, identity recovery and mask resume bit for bit, average, stop at NaN, and train on two processes."""

import copy
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from src.stages.stage import NotFiniteError, Stage
from tests.stages.small import small_data, small_trainer
from tests.stages.small_clr_face import CLR_FACE_VARIANTS, clr_face_config, clr_face_stage
from tests.stages.test_training import Stop, equal
from tests.stages.two_ranks import ITERATIONS, hashes_of_two

pytestmark = pytest.mark.filterwarnings(
    "ignore:The 'train_dataloader' does not have many workers", "ignore:.*ran out of batches.*"
)


def train(variant: str, folder: Path, *callbacks: pl.Callback, checkpoint: Path | None = None) -> Stage:
    config = clr_face_config(variant)
    stage = clr_face_stage(config)
    trainer = small_trainer(folder, *callbacks)
    trainer.fit(stage, datamodule=small_data(config), ckpt_path=checkpoint, weights_only=True)
    return stage


@pytest.mark.parametrize("variant", CLR_FACE_VARIANTS)
def test_resumed_training_equals_the_uninterrupted_one_bit_for_bit(variant: str, tmp_path: Path) -> None:
    start = copy.deepcopy(clr_face_stage(clr_face_config(variant)).network.state_dict())
    whole, path = train(variant, tmp_path), tmp_path / "three.ckpt"
    with pytest.raises(SystemExit):
        train(variant, tmp_path, Stop(3, path))
    resumed = train(variant, tmp_path, checkpoint=path)
    assert whole.iteration == resumed.iteration == 6
    assert equal(whole.state_dict(), resumed.state_dict())
    moved = [name for name, value in whole.network.named_parameters() if not torch.equal(start[name], value)]
    average = whole.average.network.state_dict()
    assert moved
    for name in moved:
        assert not torch.equal(average[name], start[name])
        assert not torch.equal(average[name], whole.network.state_dict()[name])


@pytest.mark.parametrize("variant", CLR_FACE_VARIANTS)
def test_a_loss_that_is_not_finite_stops_the_training_and_is_named(variant: str, tmp_path: Path) -> None:
    config = clr_face_config(variant)
    stage = clr_face_stage(config)
    with torch.no_grad():
        next(value for value in stage.network.parameters() if value.requires_grad).fill_(float("nan"))
    named = "pixel|score_matching|identity"
    with pytest.raises(NotFiniteError, match=rf"{config.stage}: .*({named}).* at iteration 1"):
        small_trainer(tmp_path).fit(stage, datamodule=small_data(config))


@pytest.mark.parametrize("variant", ["exploding", "light_recovery", "adaptive_mask"])
def test_two_processes_train_what_one_does(variant: str, tmp_path: Path, forked_python: str) -> None:
    """What is drawn belongs to a place in the global batch."""
    first, second = hashes_of_two("two_clr_face_ranks", variant, tmp_path, forked_python)
    assert first == second
    config = clr_face_config(variant, ITERATIONS)
    stage = clr_face_stage(config)
    small_trainer(tmp_path).fit(stage, datamodule=small_data(config))
    torch.testing.assert_close(torch.load(tmp_path / f"{variant}.pt"), stage.state_dict(), rtol=1e-4, atol=2e-5)
