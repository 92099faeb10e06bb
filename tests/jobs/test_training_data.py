"""The training stream of a run: cached codes train the same network, the device takes over the degradation."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from src.data.code_targets import CodeTargets, write_code_targets
from src.data.damage import Stop
from src.data.datamodule import FaceDataModule
from src.data.stream import Key
from src.data.training_set import CleanFaces, DegradedFaces, Sampling
from src.jobs import training_data
from src.jobs.build_stage import degradation_plan
from src.settings.commands import TrainConfig
from src.stages.cft import CftStage
from src.stages.code_predictor import CodePredictorStage
from tests.stages.small import RandomFaces, small_config, small_stage, small_trainer

SAMPLING = Sampling(0, 0.5, Stop())


def trained(config: TrainConfig, folder: Path, codes: CodeTargets | None) -> dict[str, torch.Tensor]:
    """Weights after a few iterations; with or without cached codes."""
    training = getattr(config, config.stage).training
    data = FaceDataModule(
        DegradedFaces(RandomFaces(), degradation_plan(config), SAMPLING, codes),
        batch_size=training.batch_size,
        iterations=training.iterations,
        seed=0,
        workers=0,
        channels_last=False,
    )
    stage = small_stage(config)
    assert isinstance(stage, CodePredictorStage | CftStage)
    small_trainer(folder).fit(stage, datamodule=data)
    return stage.network.state_dict()


@pytest.mark.parametrize("kind", ["code_predictor", "cft"])
def test_cached_codes_train_the_same_network(kind: str, tmp_path: Path) -> None:
    config = small_config(kind, iterations=4)
    stage = small_stage(config)
    assert isinstance(stage, CodePredictorStage | CftStage)
    path = tmp_path / "codes.npy"
    write_code_targets(path, (10, 64), training_data._codes(stage.vqgan.network, RandomFaces()))
    cached, own = (trained(config, tmp_path, codes) for codes in (CodeTargets(path), None))
    assert all(torch.equal(value, own[name]) for name, value in cached.items())


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"stage": "vqgan"}, False),
        ({"stage": "code_predictor"}, True),
        ({"stage": "cft"}, True),
        ({"stage": "cft", "code_targets": "on_the_fly"}, False),
        ({"stage": "cft", "faces": 10_000}, False),
        ({"stage": "cft", "faces": 10_000, "code_targets": "cached"}, True),
        ({"stage": "cft", "on_damaged": "skip"}, False),
        ({"stage": "cft", "grey_target": True}, False),
    ],
)
def test_codes_are_cached_where_that_pays_and_is_right(changes: dict, wanted: bool) -> None:
    config = small_config(changes["stage"], iterations=10)
    config = replace(
        config,
        data=replace(config.data, on_damaged=changes.get("on_damaged", "stop")),
        trainer=replace(config.trainer, code_targets=changes.get("code_targets", "auto")),
    )
    if changes.get("grey_target"):
        config.cft.large_degradation.steps["grey"] = {"of_target": True}
    assert training_data._wants_codes(config, changes.get("faces", 10)) is wanted


@pytest.mark.parametrize("where", ["loader", "device"])
def test_the_stream_degrades_where_it_is_told_to(where: str) -> None:
    config = small_config("code_predictor")
    config = replace(config, trainer=replace(config.trainer, degradation=where))
    data = training_data.training_data(config, RandomFaces(), None)
    assert isinstance(data._faces, CleanFaces)
    assert isinstance(data._faces, DegradedFaces) is (where == "loader")
    assert (data._device_degradation is not None) is (where == "device")


@pytest.mark.parametrize(("own", "mirrored"), [("null", 1.0), ("0", 0.0)])
def test_a_prior_mirrors_as_often_as_it_says_else_as_often_as_the_data(own: str, mirrored: float) -> None:
    changes = ("data.flip_probability=1", f"diffusion_prior.flip_probability={own}")
    for stage, expected in (("diffusion_prior", mirrored), ("vqgan", 1.0)):
        source = RandomFaces()
        faces = training_data.training_data(small_config(stage, 1, *changes), source, None)._faces
        found = faces[Key(iteration=1, epoch=0, face=2)]["hq"].numpy()
        assert np.array_equal(found, source.image(2)[:, ::-1] if expected else source.image(2))
