"""Two gloo processes end with the same weights, and where no BatchNorm sees the batch, with those of one process."""

from pathlib import Path

import pytest
import torch

from tests.stages.small import TRAINED_HERE, small_config, small_data, small_stage, small_trainer
from tests.stages.two_ranks import ITERATIONS, hashes_of_two

pytestmark = pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")

ALSO_COMPARED = ("diffusion_prior", "registration")
"""Stages of the second test, which compares ranks as well."""


@pytest.mark.parametrize("stage", [stage for stage in TRAINED_HERE if stage not in ALSO_COMPARED])
def test_ranks_stay_in_sync(stage: str, tmp_path: Path, forked_python: str) -> None:
    first, second = hashes_of_two("two_ranks", stage, tmp_path, forked_python)
    assert first == second


@pytest.mark.parametrize("variant", ["diffusion_prior", "importance", "srcnn", "registration", "probabilistic"])
def test_two_processes_train_what_one_does(variant: str, tmp_path: Path, forked_python: str) -> None:
    """Timesteps and noise belong to a place in the global batch, and so does the history of the losses."""
    first, second = hashes_of_two("two_ranks", variant, tmp_path, forked_python)
    assert first == second
    config = small_config(variant, iterations=ITERATIONS)
    stage = small_stage(config)
    start = {key: value.clone() for key, value in stage.network.state_dict().items()}
    small_trainer(tmp_path).fit(stage, datamodule=small_data(config))
    assert max((value - start[key]).abs().max() for key, value in stage.network.state_dict().items()) > 1e-3
    torch.testing.assert_close(torch.load(tmp_path / f"{variant}.pt"), stage.state_dict(), rtol=1e-4, atol=2e-5)
