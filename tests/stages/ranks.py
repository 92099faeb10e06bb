"""The terms of a first iteration on one device, and on each of two that share the same global batch."""

from collections.abc import Callable
from pathlib import Path
from unittest.mock import PropertyMock, patch

from torch.utils.data import DataLoader

from src.data.datamodule import FaceDataModule
from src.settings.commands import TrainConfig
from src.stages.stage import Stage
from tests.stages.small import Terms, small_data, small_trainer

TermsOfStep = dict[str, float]


def terms_by_rank(
    build: Callable[[], Stage], config: TrainConfig, folder: Path
) -> tuple[TermsOfStep, list[TermsOfStep]]:
    """Of the whole batch, and of the halves that ranks 0 and 1 of two have, in one process."""
    return _terms(build(), config, folder, 0, 1), [_terms(build(), config, folder, rank, 2) for rank in range(2)]


def _terms(stage: Stage, config: TrainConfig, folder: Path, rank: int, world: int) -> TermsOfStep:
    data, terms = small_data(config), Terms()
    batch_size = getattr(config, config.stage).training.batch_size

    def loader(module: FaceDataModule) -> DataLoader:
        return module.loader(start=0, rank=rank, world_size=world)

    places = PropertyMock(return_value=range(rank, batch_size, world))
    with patch.object(FaceDataModule, "train_dataloader", loader), patch.object(Stage, "places", places):
        small_trainer(folder, terms).fit(stage, datamodule=data)
    return terms.of_iteration[0]
