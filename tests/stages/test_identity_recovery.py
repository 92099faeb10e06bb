"""The stage that trains CLR-Face's Identity Recovery Network: its losses, what it shows and what it leaves behind."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from src.checkpoints.clr_face_facts import OUTPUT_FACT
from src.checkpoints.network_file import load_network
from src.losses.identity import IdentityLoss
from src.networks.identity_recovery import EmbeddingRecovery, IdentityRecovery, identity_recovery
from src.networks.recogniser import Recogniser
from src.settings.commands import TrainConfig
from src.settings.errors import UserError
from src.stages.identity_recovery import IdentityRecoveryStage
from tests.stages.small import Terms, small_batch, small_data, small_trainer
from tests.stages.small_clr_face import SquaredDifference, clr_face_config, clr_face_stage
from tests.stages.test_training import DarkFaces

pytestmark = pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
KINDS = {"swinir": "swinir", "unet": "restoration_unet"}
EMBEDDING = "identity_recovery.output=embedding"


def configured(*changes: str, iterations: int = 1) -> TrainConfig:
    return clr_face_config("identity_recovery", iterations, "scale.swinir.drop_path=0", *changes)


def untrained(*changes: str) -> IdentityRecoveryStage:
    stage = clr_face_stage(configured(*changes), perceptual=SquaredDifference())
    assert isinstance(stage, IdentityRecoveryStage)
    return stage


def trained(folder: Path, *changes: str) -> IdentityRecoveryStage:
    stage = untrained(*changes)
    small_trainer(folder).fit(stage, datamodule=small_data(configured(*changes)))
    return stage


def cosines(guide: IdentityLoss | None, first: Tensor, second: Tensor) -> Tensor:
    assert guide is not None
    return torch.cosine_similarity(guide.network(first), guide.network(second), dim=1).mean()


@pytest.mark.parametrize("architecture", KINDS)
def test_loss_and_gradient_are_those_of_the_formula(architecture: str, tmp_path: Path) -> None:
    """2 L1 + 0.3 perceptual + 0.7 (1 - cos), all of faces in [-1, 1]; the network works in [0, 1]."""
    weights = ("identity_recovery.pixel=2", "identity_recovery.perceptual=0.3", "identity_recovery.identity=0.7")
    changes = (f"identity_recovery.architecture={architecture}", *weights)
    network = copy.deepcopy(untrained(*changes).network)
    stage = trained(tmp_path, *changes)

    batch = small_batch(configured(*changes))
    recovered = 2 * network((batch["lq"] + 1) / 2) - 1
    expected = {
        "pixel": (recovered - batch["hq"]).abs().mean(),
        "perceptual": (recovered - batch["hq"]).square().mean(),
        "identity": 1 - cosines(stage.guide, recovered, batch["hq"]),
    }
    torch.testing.assert_close(stage.scalars, {name: value.detach() for name, value in expected.items()})
    (2 * expected["pixel"] + 0.3 * expected["perceptual"] + 0.7 * expected["identity"]).backward()
    for found, direct in zip(stage.network.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(found.grad, direct.grad, rtol=1e-3, atol=1e-6)
    assert stage.guide is not None
    assert all(weight.grad is None for weight in stage.guide.parameters())


def test_terms_without_weight_need_no_network(tmp_path: Path) -> None:
    config = configured("identity_recovery.identity=0", "identity_recovery.architecture=unet")
    settings, data = config.identity_recovery, small_data(config)
    stage = IdentityRecoveryStage(settings, config.scale, guide=None, perceptual=None, seed=0)
    small_trainer(tmp_path).fit(stage, datamodule=data)
    assert list(stage.scalars) == ["pixel"]


@pytest.mark.parametrize("changes", [("identity_recovery.identity=0.1",), (EMBEDDING, "identity_recovery.identity=0")])
def test_where_embeddings_are_compared_a_guide_is_needed(changes: tuple[str, ...]) -> None:
    config = configured(*changes)
    with pytest.raises(UserError, match=r"identity_recovery: output=.* choose guide\.network"):
        IdentityRecoveryStage(config.identity_recovery, config.scale, guide=None, perceptual=None, seed=0)


def test_the_embedding_variant_learns_the_guide_s_embedding_of_the_clean_face(tmp_path: Path) -> None:
    start = untrained(EMBEDDING)
    stage = trained(tmp_path, EMBEDDING)
    batch = small_batch(configured(EMBEDDING))
    network = copy.deepcopy(start.network).train()
    assert stage.guide is not None
    wanted = stage.guide.network(batch["hq"])
    predicted = network(batch["lq"])
    assert predicted.shape == wanted.shape == (4, 8)
    torch.testing.assert_close(stage.scalars["identity"], 1 - (predicted * wanted).sum(1).mean().detach())
    assert list(stage.preview(batch)) == ["input", "face"]

    stage.save_weights(tmp_path, {})
    loaded = load_network(tmp_path / "identity_recovery.safetensors")
    assert (loaded.kind, loaded.facts[OUTPUT_FACT]) == ("recogniser", "embedding")
    recovery = identity_recovery(loaded.network)
    assert isinstance(recovery, EmbeddingRecovery)
    assert isinstance(stage.average.network, Recogniser)
    with torch.no_grad():
        found = recovery.embedding(batch["lq"], stage.guide.network)
        assert torch.equal(found, stage.average.network(batch["lq"]))


@pytest.mark.parametrize("architecture", KINDS)
def test_what_is_shown_and_saved_is_the_averaged_network(architecture: str, tmp_path: Path) -> None:
    stage = trained(tmp_path, f"identity_recovery.architecture={architecture}")
    batch = small_batch(configured())
    shown = stage.preview(batch)
    assert list(shown) == ["input", "recovered", "face"]
    assert list(stage.save_weights(tmp_path, {"identity": "x"})) == ["identity_recovery"]
    loaded = load_network(tmp_path / "identity_recovery.safetensors")
    assert (loaded.kind, loaded.facts) == (KINDS[architecture], {"identity": "x", OUTPUT_FACT: "image"})
    recovery = identity_recovery(loaded.network)
    assert isinstance(recovery, IdentityRecovery)
    with torch.no_grad():
        assert torch.equal(recovery(batch["lq"]), shown["recovered"])
        guide = stage.guide
        assert guide is not None
        assert torch.equal(recovery.embedding(batch["lq"], guide.embed), guide.embed(shown["recovered"]))


@pytest.mark.parametrize("changes", [("identity_recovery.architecture=unet",), (EMBEDDING,)])
def test_the_objective_falls(changes: tuple[str, ...], tmp_path: Path) -> None:
    """On a batch of four faces, degraded anew in every iteration."""
    rate = "identity_recovery.training.learning_rate.initial=5e-3"
    config, terms = configured(*changes, rate, iterations=60), Terms()
    small_trainer(tmp_path, terms).fit(clr_face_stage(config), datamodule=small_data(config, DarkFaces(4)))
    sums = [sum(each.values()) for each in terms.of_iteration]
    assert np.mean(sums[-10:]) < 0.8 * np.mean(sums[:5])
