"""The stage that trains CLR-Face's score model: its loss, what it is told, what it shows and what it leaves behind."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from src.checkpoints.clr_face_facts import condition_of, sde_of
from src.checkpoints.files import sha256_of
from src.checkpoints.network_file import load_network
from src.degradation.keyed import SampleKey, keyed_normals, keyed_uniforms
from src.networks.latent_encoder import LatentEncoder
from src.networks.latent_score import LatentScoreUnet
from src.settings.commands import TrainConfig
from src.settings.errors import UserError
from src.stages.latent_score import DROPOUT, NOISE, TIME, LatentScoreStage
from tests.stages.ranks import terms_by_rank
from tests.stages.small import Terms, small_batch, small_data, small_trainer
from tests.stages.small_clr_face import clr_face_config, clr_face_stage
from tests.stages.small_latent import small_autoencoder
from tests.stages.test_training import DarkFaces

pytestmark = pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
SHAPE = (3, 8, 8)


def configured(*changes: str, iterations: int = 1) -> TrainConfig:
    return clr_face_config("latent_score", iterations, *changes)


def untrained(*changes: str, files: dict[str, Path] | None = None) -> LatentScoreStage:
    stage = clr_face_stage(configured(*changes), files)
    assert isinstance(stage, LatentScoreStage)
    return stage


def trained(folder: Path, *changes: str, files: dict[str, Path] | None = None) -> LatentScoreStage:
    stage = untrained(*changes, files=files)
    small_trainer(folder).fit(stage, datamodule=small_data(configured(*changes)))
    return stage


def share(place: int, stream: int) -> float:
    return float(keyed_uniforms(SampleKey(0, 1, place), stream, 1)[0])


def noise_of(place: int) -> Tensor:
    numbers = keyed_normals(SampleKey(0, 1, place), NOISE, math.prod(SHAPE)).reshape(8, 8, 3)
    return torch.from_numpy(numbers.transpose(2, 0, 1).copy())


@pytest.mark.parametrize("antithetic", [True, False])
def test_the_loss_is_that_of_denoising_score_matching_on_normalised_latents(antithetic: bool, tmp_path: Path) -> None:
    """|sigma score + noise|^2 = |epsilon - noise|^2, with the marginals of vp written out (clr_face.md 4)."""
    changes = (f"latent_score.antithetic={antithetic}",)
    start = untrained(*changes)
    network, autoencoder = start.network, start.autoencoder.network
    found = trained(tmp_path, *changes).scalars["score_matching"]
    batch = small_batch(configured(*changes))
    centre, spread = (values.view(-1, 1, 1) for values in (autoencoder.latent_mean, autoencoder.latent_deviation))
    z0, z_lq = ((autoencoder.encode(batch[name]) - centre) / spread for name in ("hq", "lq"))
    errors = []
    for place in range(4):
        u = share(place // 2 if antithetic else place, TIME)
        t = 1e-3 + 0.999 * (1 - u if antithetic and place % 2 else u)
        alpha = math.exp(-0.25 * t**2 * 19.9 - 0.5 * t * 0.1)
        state = alpha * z0[place] + math.sqrt(1 - alpha**2) * noise_of(place)
        epsilon = network(state[None], torch.tensor([999 * t]), z_lq[place : place + 1])
        errors.append((epsilon - noise_of(place)).square().mean().item())
    assert found.item() == pytest.approx(np.mean(errors), rel=1e-4)


class Seen(nn.Module):
    """Keeps what the network is told."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.condition = network, torch.empty(0)

    def forward(self, z: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        self.condition = condition
        return self.network(z, time, condition)


def seen_condition(folder: Path, *changes: str) -> Tensor:
    stage = untrained(*changes)
    average = stage.average.network
    stage.network = Seen(stage.network)
    stage.average.network = Seen(average)
    small_trainer(folder).fit(stage, datamodule=small_data(configured(*changes)))
    return stage.network.condition


def test_dropped_conditions_are_zero_and_those_of_the_keyed_places(tmp_path: Path) -> None:
    """The other conditions stay as they are."""
    free = seen_condition(tmp_path)
    dropped = seen_condition(tmp_path, "latent_score.condition_dropout=0.5")
    lost = torch.tensor([share(place, DROPOUT) < 0.5 for place in range(4)])
    assert 0 < lost.sum() < 4
    assert torch.equal(dropped, free * ~lost[:, None, None, None])
    assert (free.abs().amax((1, 2, 3)) > 0).all()


def test_the_recovered_face_is_encoded_as_clean_behind_the_degraded_latent(tmp_path: Path) -> None:
    changes = ("latent_score.condition=degraded_and_recovered",)
    stage, batch = untrained(*changes), small_batch(configured(*changes))
    recovery = stage.condition.network.recovery
    assert recovery is not None
    with torch.no_grad():
        clean = stage.autoencoder.network.latent_of(recovery(batch["lq"]))
        expected = torch.cat([stage.condition.network.encoder(batch["lq"]), clean], dim=1)
    assert torch.equal(seen_condition(tmp_path, *changes), expected)
    assert stage.preview(batch)["encoder"].shape == batch["lq"].shape


def test_a_recovery_without_a_face_cannot_be_a_condition() -> None:
    config = configured("latent_score.condition=degraded_and_recovered")
    autoencoder = small_autoencoder(config)
    with pytest.raises(UserError, match=r"latent_score\.condition: .* identity_recovery\.output=image"):
        LatentScoreStage(
            config.latent_score,
            config.scale,
            autoencoder=autoencoder,
            encoder=LatentEncoder.of(autoencoder),
            recovery=None,
            files={},
            seed=0,
        )


@pytest.mark.parametrize("kind", ["vp", "ve", "ddpm"])
def test_faces_on_two_ranks_are_those_of_one(kind: str, tmp_path: Path) -> None:
    """Times, noise and dropped conditions belong to a place in the global batch."""
    changes = (f"latent_score.sde.kind={kind}", "latent_score.condition_dropout=0.5")
    whole, halves = terms_by_rank(lambda: untrained(*changes), configured(*changes), tmp_path)
    assert whole["score_matching"] == pytest.approx(np.mean([half["score_matching"] for half in halves]), rel=1e-5)
    assert halves[0] != halves[1]


def test_the_loss_falls_and_only_the_score_model_learns(tmp_path: Path) -> None:
    config, terms = configured("latent_score.training.learning_rate.initial=3e-3", iterations=80), Terms()
    stage = clr_face_stage(config)
    assert isinstance(stage, LatentScoreStage)
    frozen = (stage.autoencoder, stage.condition)
    before = [value.clone() for module in frozen for value in module.state_dict().values()]
    small_trainer(tmp_path, terms).fit(stage, datamodule=small_data(config, DarkFaces()))
    losses = [each["score_matching"] for each in terms.of_iteration]
    assert np.mean(losses[-20:]) < 0.8 * np.mean(losses[:10])
    after = [value for module in frozen for value in module.state_dict().values()]
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))


def test_the_grid_shows_the_single_stage_and_the_sampled_restoration() -> None:
    stage = untrained()
    batch = small_batch(configured())
    shown = stage.preview(batch)
    assert list(shown) == ["input", "encoder", "restored", "reconstruction", "face"]
    assert all(images.shape == batch["hq"].shape and images.abs().max() <= 1 for images in shown.values())
    # The encoder is still that of clean faces.
    clean = stage.preview({"lq": batch["hq"], "hq": batch["hq"]})
    torch.testing.assert_close(clean["encoder"], clean["reconstruction"])
    few = stage.preview({name: faces[:2] for name, faces in batch.items() if name in ("lq", "hq")})
    torch.testing.assert_close(few["restored"], shown["restored"][:2], rtol=0, atol=1e-4)


class Silent(nn.Module):
    """Sees no noise anywhere."""

    def forward(self, z: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        return torch.zeros_like(z)


@pytest.mark.parametrize("kind", ["vp", "ddpm"])
def test_the_curve_is_the_averaged_network_s_error_by_part_of_the_process(kind: str) -> None:
    stage = untrained(f"latent_score.sde.kind={kind}")
    batch = small_batch(configured())
    first = stage.denoising_curve(batch)
    assert list(first) == pytest.approx(np.linspace(0.1, 1, 10))
    with torch.no_grad():
        stage.network.unet.out[2].bias.fill_(1.0)
    assert stage.denoising_curve(batch) == first
    stage.average.network = Silent()
    silent = list(stage.denoising_curve(batch).values())
    assert all(one == pytest.approx(other) for one, other in pairwise(silent))
    assert silent[0] == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("kind", ["vp", "ve"])
def test_one_folder_holds_all_that_restoring_needs(kind: str, tmp_path: Path) -> None:
    source = tmp_path / "elsewhere" / "autoencoder_of_a_run.safetensors"
    source.parent.mkdir()
    source.write_bytes(b"weights of an autoencoder")
    stage = trained(tmp_path, f"latent_score.sde.kind={kind}", files={"latent_autoencoder": source})
    run = tmp_path / "run"
    saved = stage.save_weights(run, {"identity": "x"})
    assert saved == {name: sha256_of(run / f"{name}.safetensors") for name in ("latent_score", "latent_autoencoder")}
    assert (run / "latent_autoencoder.safetensors").read_bytes() == source.read_bytes()

    path = run / "latent_score.safetensors"
    loaded = load_network(path)
    assert isinstance(loaded.network, LatentScoreUnet)
    assert loaded.facts["identity"] == "x"
    sde, trained_on = sde_of(loaded.facts, path), stage.settings.sde
    assert (sde.kind, sde.beta_max, condition_of(loaded.facts, path)) == (kind, trained_on.beta_max, "degraded")
    # d = 3 x 8 x 8 numbers
    assert sde.sigma_max == (pytest.approx(math.sqrt(384)) if kind == "ve" else None)
    z, time = torch.randn(2, *SHAPE), torch.tensor([3.0, 400.0])
    with torch.no_grad():
        assert torch.equal(loaded.network(z, time, z), stage.average.network(z, time, z))


def test_facts_that_do_not_say_are_refused(tmp_path: Path) -> None:
    for read in (sde_of, condition_of):
        with pytest.raises(UserError, match=r"a\.safetensors: its fact .* stage latent_score"):
            read({"sde": "{}", "condition": "nothing"}, tmp_path / "a.safetensors")
