"""Which stages can make activations again, as `trainer.recomputed_resolutions` asks."""

import pytest

from src.jobs.train_run import _recompute
from src.networks.blocks import ResidualBlock
from src.settings.errors import UserError
from tests.stages.small import small_config, small_stage


def test_an_autoencoder_can_and_a_recogniser_says_that_it_cannot() -> None:
    autoencoder = small_stage(small_config("vqgan", 1))
    _recompute(autoencoder, 1)
    blocks = [module.recomputes for module in autoencoder.modules() if isinstance(module, ResidualBlock)]
    assert {True, False} == set(blocks), "those of the largest resolution, and no others"
    recogniser = small_stage(small_config("recogniser", 1))
    _recompute(recogniser, 0)
    with pytest.raises(UserError, match=r"trainer\.recomputed_resolutions: 2, and stage recogniser has no blocks"):
        _recompute(recogniser, 2)
