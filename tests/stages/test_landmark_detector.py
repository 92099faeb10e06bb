"""The stage of the landmark detector: it trains on exact landmarks, is averaged and saved, and shows what it finds."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from src.data.damage import Stop
from src.data.datamodule import FaceDataModule
from src.data.plan import Share
from src.data.synthetic import SyntheticFaces
from src.data.training_set import DegradedFaces, Sampling
from src.degradation.chain import chain_of
from src.degradation.recipes import load_recipe
from src.settings.data import SyntheticFacesSettings
from src.settings.landmark_detector import LandmarkDetectorSettings
from src.settings.scale import LandmarkDetectorSize
from src.stages.landmark_detector import DOT_COLOUR, LandmarkDetectorStage, with_points
from src.stages.stage import Batch, NotFiniteError
from tests.stages.small import Terms, small_config, small_trainer

pytestmark = pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")

SIZE = LandmarkDetectorSize(input_size=32, width=8, landmarks=68)
FACES = SyntheticFacesSettings(
    kind="synthetic_faces",
    flip_probability=0.5,
    seed=0,
    identities=4,
    images_per_identity=4,
    validation_identities=1,
    test_identities=1,
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> SyntheticFaces:
    return SyntheticFaces(FACES, split="train", size=32, cache=tmp_path_factory.mktemp("cache"))


def stage_and_data(
    source: SyntheticFaces, iterations: int = 1, movement: float = 0.03
) -> tuple[LandmarkDetectorStage, FaceDataModule]:
    pl.seed_everything(0, verbose=False)
    config = small_config("recogniser", iterations)
    recipe = load_recipe("codeformer_small")
    rate = replace(config.recogniser.training.learning_rate, initial=1e-2)
    training = replace(config.recogniser.training, batch_size=8, learning_rate=rate)
    settings = LandmarkDetectorSettings(
        training=training, heatmap_weight=1.0, movement=movement, degraded_share=0.5, degradation=recipe
    )
    sampling = Sampling(0, 0.5, Stop(), exact=("landmarks",))
    faces = DegradedFaces(source, Share(chain_of(recipe), 0.5), sampling)
    data = FaceDataModule(faces, batch_size=8, iterations=iterations, seed=0, workers=0, channels_last=False)
    return LandmarkDetectorStage(settings, replace(config.scale, landmark_detector=SIZE), seed=0), data


def first_batch(data: FaceDataModule) -> Batch:
    return data.on_after_batch_transfer(next(iter(data.loader(start=0, rank=0, world_size=1))), 0)


def test_it_learns_where_the_landmarks_are(source: SyntheticFaces, tmp_path: Path) -> None:
    stage, data = stage_and_data(source, 60)
    start, batch, terms = copy.deepcopy(stage.network), first_batch(data), Terms()
    small_trainer(tmp_path, terms).fit(stage, datamodule=data)
    errors = [entry["error_pixels"] for entry in terms.of_iteration]
    assert np.mean(errors[-5:]) < errors[0] / 3
    before, after, averaged = (
        (network.eval()(batch["lq"]) - batch["landmarks"]).norm(dim=2).mean()
        for network in (start, stage.network, stage.average.network)
    )
    assert after < before / 3
    assert averaged < before


def test_the_logged_error_is_in_pixels_of_the_face(source: SyntheticFaces, tmp_path: Path) -> None:
    stage, data = stage_and_data(source, movement=0.0)
    batch, terms = first_batch(data), Terms()
    found = copy.deepcopy(stage.network)(batch["lq"])  # with the statistics of the batch, as in the step
    small_trainer(tmp_path, terms).fit(stage, datamodule=data)
    expected = (found - batch["landmarks"]).norm(dim=2).mean().item()
    assert terms.of_iteration[0]["error_pixels"] == pytest.approx(expected, rel=1e-4)


def test_a_loss_that_is_no_number_is_named(source: SyntheticFaces, tmp_path: Path) -> None:
    stage, data = stage_and_data(source)
    next(stage.network.parameters()).data.fill_(torch.nan)
    with pytest.raises(NotFiniteError, match="landmark_detector: distance, heatmap became NaN"):
        small_trainer(tmp_path).fit(stage, datamodule=data)


def test_points_are_drawn_where_they_are_on_an_enlarged_face() -> None:
    picture = with_points(torch.zeros(1, 3, 64, 64), torch.tensor([[[10.0, 20.5], [63.0, 1.0]]]))
    assert picture.shape == (1, 3, 256, 256)
    dots = (picture[0] == torch.tensor(DOT_COLOUR).view(3, 1, 1)).all(0)
    rows, columns = dots.nonzero().unbind(1)
    first = columns < 128
    assert (columns[first].float().mean() + 0.5, rows[first].float().mean() + 0.5) == (40.0, 82.0)
    assert (columns[~first].float().mean() + 0.5, rows[~first].float().mean() + 0.5) == (252.0, 4.0)
    assert not picture[0][:, ~dots].any()
    assert with_points(torch.zeros(1, 3, 512, 512), torch.zeros(1, 68, 2)).shape == (1, 3, 512, 512)


def test_the_preview_shows_degraded_and_clean_faces_with_points(source: SyntheticFaces) -> None:
    stage, data = stage_and_data(source)
    batch = first_batch(data)
    columns = stage.preview({"hq": batch["hq"][:2], "lq": batch["lq"][:2]})
    assert list(columns) == ["input", "face"]
    expected = with_points(batch["hq"][:2], stage.average.network(batch["hq"][:2]))
    assert torch.equal(columns["face"], expected)
