"""Recognisers train on labelled faces from a folder; the one that guides is another network than the one that measures."""

import copy
import csv
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from src.checkpoints.network_file import load_network
from src.data.damage import Stop
from src.data.datamodule import FaceDataModule
from src.data.folder import FolderFaces
from src.data.training_set import DegradedFaces, Sampling
from src.jobs.build_stage import degradation_plan
from src.networks.mobile_recogniser import MobileRecogniser
from src.networks.recogniser import Recogniser
from src.settings.errors import UserError
from src.stages.recogniser import RecogniserStage, refuse_unlabelled
from tests.datasets.faces_on_disk import folder_settings, write_face
from tests.stages.small import Terms, small_config, small_trainer

pytestmark = pytest.mark.filterwarnings(
    "ignore:The 'train_dataloader' does not have many workers", "ignore:.*ran out of batches.*"
)

SMALL = (
    "scale.mobile_recogniser={input_size: 32, width: 8, expansion: 2, repeats: 1, embedding_dim: 16}",
    "scale.recogniser.embedding_dim=16",
)
NETWORKS = {"resnet": ("recogniser", Recogniser), "mobile": ("mobile_recogniser", MobileRecogniser)}
PEOPLE = ["zoe", "zoe", "ann", "zoe", "bob", "held", "ann", "held", "eve", "kim", "ann", "zoe"]
"""Identities by file, in no order and with gaps in their numbers; bob, eve and kim have one picture each."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "faces"
    for number, _ in enumerate(PEOPLE):
        write_face(root / f"{number:02d}.png", number, side=32)
    with (root / "faces.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["file", "identity", "split"])
        for number, name in enumerate(PEOPLE):
            writer.writerow([f"{number:02d}.png", name, "test" if name == "held" else "train"])
    return root


composed = cache(small_config)


def source_of(root: Path) -> FolderFaces:
    return FolderFaces(folder_settings(root), split="train", size=32)


def stage_and_data(
    stage: str, root: Path, iterations: int = 6, *changes: str
) -> tuple[RecogniserStage, FaceDataModule]:
    pl.seed_everything(0, verbose=False)
    config, source = composed(stage, iterations, *SMALL, *changes), source_of(root)
    refuse_unlabelled(source)
    settings = getattr(config, stage)
    faces = DegradedFaces(source, degradation_plan(config), Sampling(0, 0.5, Stop()))
    batch = settings.training.batch_size
    data = FaceDataModule(faces, batch_size=batch, iterations=iterations, seed=0, workers=0, channels_last=False)
    return RecogniserStage(settings, config.scale, identities=source.identities, seed=0), data


class Killed(pl.Callback):
    """Saves a checkpoint after the third iteration and ends the training there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        if pl_module.iteration == 3:
            trainer.save_checkpoint(self.path)
            raise KeyboardInterrupt


def test_labels_of_a_folder_are_contiguous_whatever_the_table_calls_people(folder: Path) -> None:
    source = source_of(folder)
    names = sorted(set(PEOPLE) - {"held"})
    assert source.identities == len(names) == 5
    shown = [name for name in PEOPLE if name != "held"]
    assert [source.identity(index) for index in range(len(source))] == [names.index(name) for name in shown]


def test_it_learns_the_people_of_a_folder_also_those_of_one_picture(folder: Path, tmp_path: Path) -> None:
    changes = ("training.batch_size=10", "training.learning_rate.initial=2e-2", "degraded_share=0", "logit_scale=8")
    stage, data = stage_and_data("guide_recogniser", folder, 15, *(f"guide_recogniser.{text}" for text in changes))
    assert stage.centres.shape == (5, 16)
    terms = Terms()
    small_trainer(tmp_path, terms).fit(stage, datamodule=data)
    accuracy = [entry["accuracy_top1"] for entry in terms.of_iteration]
    assert accuracy[0] < 0.5
    assert sum(accuracy[-5:]) / 5 > 0.9


@pytest.mark.parametrize("architecture", NETWORKS)
def test_the_guide_of_either_architecture_resumes_bit_for_bit_and_is_saved_under_its_name(
    architecture: str, folder: Path, tmp_path: Path
) -> None:
    states = []
    for checkpoint in (None, tmp_path / "three.ckpt"):
        if checkpoint is not None:
            stage, data = stage_and_data("guide_recogniser", folder, 6, f"guide_recogniser.architecture={architecture}")
            with pytest.raises(SystemExit):
                small_trainer(tmp_path, Killed(checkpoint)).fit(stage, datamodule=data)
        stage, data = stage_and_data("guide_recogniser", folder, 6, f"guide_recogniser.architecture={architecture}")
        small_trainer(tmp_path).fit(stage, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        states.append(copy.deepcopy(stage.state_dict()))
    whole, resumed = states
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    kind, network = NETWORKS[architecture]
    weights = stage.save_weights(tmp_path, {"stage": stage.kind})
    loaded = load_network(tmp_path / "guide_recogniser.safetensors")
    assert weights == {"guide_recogniser": loaded.sha256}
    assert loaded.kind == kind
    assert isinstance(loaded.network, network)
    faces = torch.rand(3, 3, 32, 32) * 2 - 1
    torch.testing.assert_close(loaded.network(faces), stage.average.network(faces))


def test_a_guide_of_the_judges_architecture_is_another_network_though_the_seed_is_the_same(folder: Path) -> None:
    """Both are drawn from their seed: a guide drawn as the judge would be trained to be the judge."""
    judge, _ = stage_and_data("recogniser", folder)
    again, _ = stage_and_data("recogniser", folder)
    guide, _ = stage_and_data("guide_recogniser", folder, 6, "guide_recogniser.architecture=resnet")
    weights = [dict(stage.network.named_parameters()) for stage in (judge, again, guide)]
    drawn = [name for name, value in weights[0].items() if value.unique().numel() > 1]
    assert len(drawn) > 5
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in drawn)
    assert not any(torch.equal(weights[0][name], weights[2][name]) for name in drawn)
    assert (judge.kind, guide.kind) == ("recogniser", "guide_recogniser")
    assert judge.state_dict().keys() == guide.state_dict().keys()


def test_the_evaluating_recogniser_keeps_its_file(folder: Path, tmp_path: Path) -> None:
    stage, _ = stage_and_data("recogniser", folder)
    assert list(stage.save_weights(tmp_path, {})) == ["recogniser"]
    assert load_network(tmp_path / "recogniser.safetensors").kind == "recogniser"


def test_faces_of_one_person_cannot_teach_who_is_who(folder: Path) -> None:
    rows = [[f"{number:02d}.png", "zoe", "train"] for number in range(len(PEOPLE))]
    with (folder / "faces.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([["file", "identity", "split"], *rows])
    with pytest.raises(UserError, match=r"12 faces of 1 identity, and a recogniser needs two at least; give a table"):
        refuse_unlabelled(source_of(folder))
