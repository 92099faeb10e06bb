"""The stage that trains CLR-Face's latent mask: both objectives, what it shows and what it leaves behind."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from src.checkpoints.files import sha256_of
from src.checkpoints.network_file import load_network
from src.degradation.keyed import SampleKey, keyed_normals, keyed_uniforms
from src.diffusion.dpm_solver import DpmSolverPlusPlus
from src.diffusion.sampler import GeneratorNoise
from src.diffusion.time_chain import log_snr_time_chain
from src.networks.latent_encoder import LatentEncoder
from src.settings.commands import TrainConfig
from src.settings.errors import UserError
from src.stages.latent_mask import GATES, NOISE, PART, LatentMaskStage
from tests.stages.ranks import terms_by_rank
from tests.stages.small import small_batch, small_data, small_trainer
from tests.stages.small_clr_face import clr_face_config, clr_face_stage

pytestmark = pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
GAIN = "latent_mask.objective=guidance_gain"
SHAPE = (3, 8, 8)


def configured(*changes: str, iterations: int = 1) -> TrainConfig:
    return clr_face_config("latent_mask", iterations, *changes)


def untrained(*changes: str, files: dict[str, Path] | None = None) -> LatentMaskStage:
    stage = clr_face_stage(configured(*changes), files)
    assert isinstance(stage, LatentMaskStage)
    return stage


def trained(folder: Path, *changes: str, iterations: int = 1, files: dict[str, Path] | None = None) -> LatentMaskStage:
    config = configured(*changes, iterations=iterations)
    stage = clr_face_stage(config, files)
    assert isinstance(stage, LatentMaskStage)
    small_trainer(folder).fit(stage, datamodule=small_data(config))
    return stage


def key(place: int) -> SampleKey:
    return SampleKey(0, 1, place)


def parts(first: float, last: float) -> list[float]:
    """Uniform in the window."""
    return [first + (last - first) * float(keyed_uniforms(key(place), PART, 1)[0]) for place in range(4)]


def noise() -> Tensor:
    fields = [keyed_normals(key(place), NOISE, math.prod(SHAPE)).reshape(8, 8, 3) for place in range(4)]
    return torch.from_numpy(np.stack(fields).transpose(0, 3, 1, 2).copy())


class Known:
    """What the first step of a stage is made of, computed again."""

    def __init__(self, *changes: str) -> None:
        stage, self.batch = untrained(*changes), small_batch(configured(*changes))
        self.process, self.score, self.mask = stage.process, stage.score.network, stage.network
        self.autoencoder, self.guide, self.recovery = stage.autoencoder.network, stage.guide, stage.recovery.network
        with torch.no_grad():
            self.z0 = self.autoencoder.latent_of(self.batch["hq"])
            self.z_lq = stage.condition.network.encoder(self.batch["lq"])

    def distance(self, z: Tensor, wanted: Tensor) -> Tensor:
        return 1 - torch.cosine_similarity(self.guide.network(self.autoencoder.decoded(z)), wanted, dim=1)

    def epsilon(self, state: Tensor, t: Tensor) -> Tensor:
        """Of vp, whose states have unit variance."""
        return self.score(state, 999 * t, self.z_lq)


def weighed(scalars: dict[str, Tensor], weights: dict[str, float]) -> Tensor:
    return torch.stack([weight * scalars[name] for name, weight in weights.items()]).sum()


def test_the_smallest_set_of_features_that_carries_identity(tmp_path: Path) -> None:
    """Objective A: 1 - cos(phi(G(m z + (1 - m) z~)), phi(x)) + 0.1 area + 0.01 binary + 0.01 smoothness."""
    known = Known()
    chain = log_snr_time_chain(known.process, 1, 2)
    start = known.process.level(1.0).sigma * noise()
    nothing = GeneratorNoise((4, *SHAPE), torch.Generator())
    restored = DpmSolverPlusPlus(known.process).sample(known.epsilon, start, chain, nothing)
    mask = torch.full(SHAPE, 0.5, requires_grad=True)
    mixed = mask * known.z0 + (1 - mask) * restored
    identity = known.distance(mixed, known.guide.network(known.batch["hq"])).mean()
    gradient = torch.autograd.grad(identity + 0.1 * mask.mean(), mask)[0]

    stage = trained(tmp_path)
    expected = {"identity": identity.item(), "area": 0.5, "binary": 0.25, "smoothness": 0.0, "hard_area": 0.0}
    found = {name: value.item() for name, value in stage.scalars.items() if name != "hard_area"}
    assert found == pytest.approx({name: expected[name] for name in found}, abs=1e-5)
    assert found.keys() == expected.keys() - {"hard_area"}
    # m = sigmoid(W) at W = 0 has slope 1/4; m (1 - m) and the flat mask's total variation have none there.
    rounding = 1e-4 * gradient.abs().max().item()
    torch.testing.assert_close(stage.network.weight.grad, gradient / 4, rtol=1e-3, atol=rounding)


@pytest.mark.parametrize("changes", [(), ("latent_mask.step=0.5", "latent_mask.window=[0.3,0.4]")])
def test_guidance_pays_where_the_clean_face_says_so(changes: tuple[str, ...], tmp_path: Path) -> None:
    """Objective B: the step leads to the recovered identity, both terms compare with the clean face."""
    known, step = Known(GAIN, *changes), 0.5 if changes else 0.1
    t, batch = torch.tensor(parts(*((0.3, 0.4) if changes else (0.05, 0.7)))), known.batch
    alpha = torch.exp(-0.25 * t**2 * 19.9 - 0.05 * t)[:, None, None, None]
    sigma = (1 - alpha**2).sqrt()
    state = alpha * known.z0 + sigma * noise()
    with torch.no_grad():
        z0_hat = (state - sigma * known.epsilon(state, t)) / alpha
        towards = known.guide.network(known.recovery(batch["lq"]))
        person = known.guide.network(batch["hq"])
    point = z0_hat.clone().requires_grad_()
    gradient = torch.autograd.grad(known.distance(point, towards).sum(), point)[0]
    unit = gradient / gradient.square().mean((1, 2, 3), keepdim=True).sqrt()
    guided = z0_hat - step * 0.5 * unit
    with torch.no_grad():
        expected = {
            "perceptual": (known.autoencoder.decoded(guided) - batch["hq"]).square().mean().item(),
            "identity": known.distance(guided, person).mean().item(),
            "area": 0.5,
        }
    scalars = trained(tmp_path, GAIN, *changes).scalars
    assert {name: scalars[name].item() for name in expected} == pytest.approx(expected, rel=1e-3)


def test_guidance_gain_needs_to_see_texture() -> None:
    config = configured()
    stage = untrained()
    config.latent_mask.objective = "guidance_gain"
    with pytest.raises(UserError, match=r"latent_mask\.objective: guidance_gain .* identity_set"):
        LatentMaskStage(
            config.latent_mask,
            config.scale,
            autoencoder=stage.autoencoder.network,
            encoder=LatentEncoder.of(stage.autoencoder.network),
            score=stage.score.network,
            process=stage.process,
            guide=stage.guide,
            recovery=stage.recovery.network,
            perceptual=None,
            files={},
            seed=0,
        )


class Gaussian(torch.nn.Module):
    """Predicts the noise of latents of unit variance: what it restores is as large as they are."""

    def forward(self, z: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        return z


@pytest.mark.parametrize(("kind", "rate"), [("global", 0.3), ("adaptive", 0.01)])
def test_the_area_falls_as_its_weight_grows(kind: str, rate: float, tmp_path: Path) -> None:
    """clr_face.md 10, 8; nothing but the mask learns."""
    areas = []
    for weight in (0, 10, 100):
        training = f"latent_mask.training.learning_rate.initial={rate}"
        config = configured(f"latent_mask.kind={kind}", training, f"latent_mask.area={weight}", iterations=12)
        stage = clr_face_stage(config)
        assert isinstance(stage, LatentMaskStage)
        stage.score.network = Gaussian()
        small_trainer(tmp_path).fit(stage, datamodule=small_data(config))
        areas.append(stage.scalars["area"].item())
        assert {name.split(".")[0] for name, value in stage.named_parameters() if value.requires_grad} == {"network"}
    assert areas[0] > areas[1] > areas[2]
    assert areas[2] < areas[0] / 2


@pytest.mark.parametrize("changes", [(), (GAIN, "latent_mask.kind=adaptive", "latent_mask.gates=hard_concrete")])
def test_faces_on_two_ranks_are_those_of_one(changes: tuple[str, ...], tmp_path: Path) -> None:
    """Parts of the process, noise and gates belong to a place in the global batch."""
    whole, halves = terms_by_rank(lambda: untrained(*changes), configured(*changes), tmp_path)
    for name in ("identity", "area"):
        assert whole[name] == pytest.approx(np.mean([half[name] for half in halves]), rel=1e-4)
    assert halves[0]["identity"] != pytest.approx(halves[1]["identity"], rel=1e-4)


def test_hard_concrete_gates_are_drawn_by_place(tmp_path: Path) -> None:
    """At W = 0: sigmoid(logit(u) / (2 / 3)) stretched to (-0.1, 1.1) and clipped (arXiv 1712.01312)."""
    fields = [keyed_uniforms(key(place), GATES, math.prod(SHAPE)) for place in range(4)]
    u = torch.from_numpy(np.stack(fields))
    gates = (1.2 * torch.sigmoid(1.5 * torch.logit(u)) - 0.1).clamp(0, 1)
    area = trained(tmp_path, "latent_mask.gates=hard_concrete").scalars["area"]
    assert area.item() == pytest.approx(gates.mean().item(), rel=1e-4)


def test_the_grid_shows_the_mask_and_what_it_mixes() -> None:
    stage, batch = untrained("latent_mask.initial=0.75"), small_batch(configured())
    shown = stage.preview(batch)
    assert list(shown) == ["input", "restored", "mixed", "mask", "face"]
    assert all(images.shape == batch["hq"].shape and images.abs().max() <= 1 for images in shown.values())
    # 0.75 of the way from black to white
    torch.testing.assert_close(shown["mask"], torch.full_like(shown["mask"], 0.5))
    with torch.no_grad():
        stage.average.network.weight[:, 2, 5] = -100.0
    dark = stage.preview(batch)["mask"] < -0.9
    assert dark[:, :, 8:12, 20:24].all()
    assert dark.sum() == 4 * 3 * 4 * 4


@pytest.mark.parametrize("kind", ["global", "adaptive"])
def test_one_folder_holds_all_that_restoring_needs(kind: str, tmp_path: Path) -> None:
    source = tmp_path / "of_a_run.safetensors"
    source.write_bytes(b"weights of a guide")
    stage = trained(tmp_path, f"latent_mask.kind={kind}", iterations=2, files={"guide": source})
    run = tmp_path / "run"
    assert stage.save_weights(run, {"identity": "x"}) == {
        name: sha256_of(run / f"{name}.safetensors") for name in ("latent_mask", "guide")
    }
    assert (run / "guide.safetensors").read_bytes() == source.read_bytes()
    loaded = load_network(run / "latent_mask.safetensors")
    assert loaded.facts == {"identity": "x", "objective": "identity_set", "gates": "soft", "guide": "small"}
    assert (loaded.settings["kind"], loaded.settings["side"]) == (kind, 8)
    z_lq, part = torch.randn(2, *SHAPE), torch.tensor([0.2, 0.6])
    with torch.no_grad():
        assert torch.equal(loaded.network.soft(z_lq, part), stage.average.network.soft(z_lq, part))
