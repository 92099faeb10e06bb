"""DifFace's restorers: the published pipeline, noise that belongs to a face, and what they refuse."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from src.diffusion.error_contraction import transition
from src.diffusion.model_output import predicted_x0
from src.networks import DiffusionUnet
from src.restorers.base import Restorer
from src.restorers.difface import BackboneRestorer, DifFaceInpaintingRestorer, DifFaceRestorer
from src.restorers.face_noise import FaceNoise
from src.restorers.partial_chain import chain_of
from src.restorers.precision import Precision
from src.restorers.prior_file import LoadedPrior
from src.settings.difface import SOLVERS
from src.settings.errors import UserError
from tests.restorers.small_difface import (
    SCHEDULE,
    SIDE,
    OneFacePrior,
    difface,
    faces,
    sampling,
    small_backbone,
    small_prior,
    small_unet,
    stacked,
)

CPU = torch.device("cpu")
KEYS = [7, 0, 2**32 - 1]


def eta_of(solver: str, eta: float = 0.5) -> float | None:
    return eta if solver == "ddim" else None


@torch.no_grad()
def by_hand(lq: Tensor, keys: list[int], eta: float, seed: int) -> Tensor:
    """difface.md 1.3 and 1.4 with the grid "ddim25" and start index 10, in float64 but for the networks."""
    unet, noise = small_unet(), FaceNoise(seed, keys, SIDE, CPU)
    alpha_bar = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))[::40]
    estimate = small_backbone()((lq + 1) / 2).double().clamp(0, 1) * 2 - 1
    x = math.sqrt(alpha_bar[10]) * estimate + math.sqrt(1 - alpha_bar[10]) * noise.draw(0)
    for index in reversed(range(10)):
        now, before = alpha_bar[index], alpha_bar[index - 1] if index else 1.0
        epsilon = unet(x.float(), torch.full((len(x),), 40 * index))[:, :3].double()
        x0 = (x / math.sqrt(now) - math.sqrt(1 / now - 1) * epsilon).clamp(-1, 1)
        sigma = eta * math.sqrt((1 - before) / (1 - now)) * math.sqrt(1 - now / before)
        x = math.sqrt(before) * x0 + math.sqrt(1 - before - sigma**2) * epsilon
        x = x + sigma * noise.draw(10 - index) if index else x
    return x.clamp(-1, 1).float()


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_the_published_convention_is_the_published_pipeline(eta: float) -> None:
    found = difface(steps=10, eta=eta, seed=3).restore(faces(2), [5, 9])
    expected = by_hand(faces(2), [5, 9], eta, seed=3)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    textbook = difface(steps=10, eta=eta, seed=3, convention="textbook").restore(faces(2), [5, 9])
    assert (textbook - expected).abs().mean() > 0.01, "the quirks of the software count"


def test_the_default_asks_where_the_published_script_does() -> None:
    chain = chain_of(SCHEDULE, sampling(steps=100))
    assert chain.timesteps == tuple(range(396, -1, -4))
    assert chain.start == 400
    assert chain_of(SCHEDULE, sampling(steps=100, convention="textbook")).timesteps[0] == 400


@pytest.mark.parametrize("convention", ["published", "textbook"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_finds_the_only_face_of_a_population(solver: str, convention: str) -> None:
    truth = faces(4)[3:]
    chosen = sampling(solver=solver, eta=eta_of(solver, 1.0), steps=20, convention=convention)
    prior = LoadedPrior(OneFacePrior(truth), SCHEDULE, learned_variance=True)
    restored = DifFaceRestorer(prior, BackboneRestorer(small_backbone(), None), chosen).restore(faces(), KEYS)
    torch.testing.assert_close(restored, truth.expand(3, -1, -1, -1), rtol=0, atol=1e-4)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_face_with_its_key_is_the_same_in_any_batch(solver: str) -> None:
    """Up to the rounding of convolutions, whose order of sums depends on the batch; the noise has the same bits."""
    restorer, lq = difface(solver=solver, eta=eta_of(solver)), faces()
    together = restorer.restore(lq, KEYS)
    assert torch.equal(together, restorer.restore(lq, KEYS)), "the same batch gives the same bits"
    torch.testing.assert_close(stacked(restorer, lq, KEYS), together, rtol=0, atol=1e-5)
    order = [2, 0, 1]
    torch.testing.assert_close(
        restorer.restore(lq[order], [KEYS[place] for place in order]), together[order], rtol=0, atol=1e-5
    )
    assert (restorer.restore(lq, [8, 0, KEYS[2]])[0] - together[0]).abs().mean() > 0.01, "another key, another face"
    assert (difface(solver=solver, eta=eta_of(solver), seed=1).restore(lq, KEYS) - together).abs().mean() > 0.01


def test_noise_depends_on_seed_key_and_step_alone() -> None:
    noise = FaceNoise(3, [4, 5], SIDE, CPU)
    assert torch.equal(noise.draw(1)[1:], FaceNoise(3, [5], SIDE, CPU).draw(1))
    draws = [noise.draw(0), noise.draw(1), FaceNoise(4, [4, 5], SIDE, CPU).draw(0)]
    flat = torch.cat([draw.flatten(1) for draw in draws])
    assert torch.allclose(torch.corrcoef(flat), torch.eye(6), atol=0.1)
    assert flat.std() == pytest.approx(1, abs=0.03)


def test_eta_zero_draws_for_the_start_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    draw = FaceNoise.draw
    monkeypatch.setattr(FaceNoise, "draw", lambda noise, number: (drawn.append(number), draw(noise, number))[1])
    difface(eta=0.0).restore(faces(1), [0])
    assert drawn == [0]
    difface(eta=0.5).restore(faces(1), [0])
    assert drawn == [0, 0, 1, 2, 3, 4]


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_evaluations_that_are_told_are_those_that_happen(solver: str) -> None:
    prior, backbone, seen = small_prior(), small_backbone(), []
    prior.network.register_forward_pre_hook(lambda _, inputs: seen.append(int(inputs[1][0])))
    restorer = DifFaceRestorer(prior, BackboneRestorer(backbone, None), sampling(solver=solver, eta=eta_of(solver)))
    restored = restorer.restore(10 * faces(), KEYS)
    assert isinstance(restorer, Restorer)
    assert restorer.network_evaluations == 1 + len(seen) == 6
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] == 0
    assert restored.shape == (3, 3, SIDE, SIDE)
    assert restored.abs().max() <= 1
    assert not restored.requires_grad
    own = [*prior.network.parameters(), *backbone.parameters()]
    assert restorer.parameters == sum(parameter.numel() for parameter in own)
    assert restorer.image_size == SIDE
    shown = {"solver": solver, "start": 400, "steps": 5, "seed": 0}
    assert restorer.knobs == (shown | {"eta": 0.5} if solver == "ddim" else shown)


@pytest.mark.parametrize("solver", SOLVERS)
def test_one_step_is_the_priors_estimate_of_the_noised_face(solver: str) -> None:
    chosen = sampling(solver=solver, eta=eta_of(solver), steps=1, convention="textbook")
    prior, backbone = small_prior(), BackboneRestorer(small_backbone(), None)
    restored = DifFaceRestorer(prior, backbone, chosen).restore(faces(), KEYS)
    state = transition(SCHEDULE, backbone.restore(faces()), 400, FaceNoise(0, KEYS, SIDE, CPU).draw(0))
    t = torch.full((3,), 400)
    with torch.no_grad():
        expected = predicted_x0(SCHEDULE, state, prior(state, t)[:, :3], t).clamp(-1, 1)
    torch.testing.assert_close(restored, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("solver", ["ddim", "ddpm"])
def test_one_step_of_the_published_convention_is_refused(solver: str) -> None:
    with pytest.raises(UserError, match=r"sampling\.steps: 1 .*take 2 to 400, or sampling\.convention=textbook"):
        sampling(solver=solver, eta=eta_of(solver), steps=1)


@pytest.mark.parametrize("learned", [True, False])
def test_a_variance_that_was_not_trained_is_not_used(learned: bool) -> None:
    def restored(network: DiffusionUnet) -> Tensor:
        prior = LoadedPrior(network, SCHEDULE, learned)
        backbone = BackboneRestorer(small_backbone(), None)
        return DifFaceRestorer(prior, backbone, sampling(solver="ddpm", eta=None)).restore(faces(), KEYS)

    other = small_unet()
    with torch.no_grad():
        other.out.get_parameter("2.bias")[3:] -= 1
    assert torch.equal(restored(small_unet()), restored(other)) is not learned


def test_inpainting_keeps_what_is_known_to_the_bit_and_fills_what_is_black() -> None:
    truth, lq = torch.full((1, 3, SIDE, SIDE), 0.25), faces().clamp(min=-0.99)
    lq[:, :, 4:10, 5:8] = -1
    lq[0, :2, 2, 2] = -1  # two channels do not make black
    prior = LoadedPrior(OneFacePrior(truth), SCHEDULE, learned_variance=True)
    chosen = sampling(start=480, steps=12, eta=1.0)
    restorer = DifFaceInpaintingRestorer(prior, BackboneRestorer(small_backbone(), None), chosen)
    restored = restorer.restore(lq, KEYS)
    missing = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    missing[4:10, 5:8] = True
    assert torch.equal(restored[..., ~missing], lq[..., ~missing])
    torch.testing.assert_close(restored[..., missing], torch.full((3, 3, 18), 0.25), rtol=0, atol=1e-4)
    assert restorer.name == "difface_inpainting"


def test_the_known_pixels_guide_what_is_filled() -> None:
    lq = faces(1).clamp(min=-0.99)
    lq[:, :, 4:10, 5:8] = -1
    other = lq.clone()
    other[:, :, 10:14] *= -0.9
    restorer = DifFaceInpaintingRestorer(small_prior(), BackboneRestorer(small_backbone(), None), sampling(steps=12))
    filled = [restorer.restore(face, [0])[..., 4:10, 5:8] for face in (lq, other)]
    assert (filled[0] - filled[1]).abs().max() > 1e-3


def test_the_backbone_alone_is_its_network_between_0_and_1() -> None:
    network, lq = small_backbone(), faces()
    with torch.no_grad():
        network.tail[-1].bias[:] = torch.tensor([0.9, 0.5, 0.1])
        network.tail[-1].weight *= 20
        output = network((lq + 1) / 2)
    assert output.max() > 1 > 0 > output.min(), "the clamp counts"
    restorer = BackboneRestorer(network, 64)
    assert isinstance(restorer, Restorer)
    torch.testing.assert_close(restorer.restore(lq), output.clamp(0, 1) * 2 - 1)
    assert (restorer.name, restorer.knobs, restorer.network_evaluations, restorer.image_size) == (
        "difface_backbone",
        {},
        1,
        64,
    )


def test_precisions_agree_as_far_as_their_format_allows() -> None:
    exact = difface().restore(faces(), KEYS)
    ordered = difface(Precision("fp32")).restore(faces(), KEYS)
    torch.testing.assert_close(ordered, exact, rtol=0, atol=1e-4)
    half = difface(Precision("bf16")).restore(faces(), KEYS)
    assert half.dtype == torch.float32
    assert 0 < (half - exact).abs().mean() < 0.1


def test_what_the_process_does_not_have_is_refused_with_the_range() -> None:
    with pytest.raises(UserError, match=r"sampling\.start: 1000 is not in 1 to 999, the noising steps of this prior"):
        difface(start=1000)
    with pytest.raises(UserError, match=r"sampling\.tile: 17 is no multiple of 2"):
        difface(tile=17)
    with pytest.raises(ValueError, match="2 keys for 3 faces"):
        difface().restore(faces(), [0, 1])


def test_larger_faces_are_denoised_whole_or_in_tiles() -> None:
    lq = faces(1, side=24)
    whole, tiled = difface().restore(lq, [0]), difface(tile=16).restore(lq, [0])
    assert tiled.shape == whole.shape == lq.shape
    assert not torch.equal(whole, tiled)
    torch.testing.assert_close(difface(tile=24).restore(lq, [0]), whole, rtol=0, atol=1e-4)
    with pytest.raises(UserError, match=r"sampling\.tile: 32 is more than the 24 px of a face"):
        difface(tile=32).restore(lq, [0])
