"""Guidance at one evaluation and through whole sampling runs."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from src.diffusion.chain import Chain
from src.diffusion.ddim import Ddim
from src.diffusion.dpm_solver import DpmSolverPlusPlus
from src.diffusion.sampler import Denoiser
from src.diffusion.time_chain import uniform_time_chain
from src.guidance.guide_gradient import Guide
from src.guidance.guided_denoiser import GuidedDenoiser
from src.guidance.identity_guide import IdentityGuide
from tests.guidance.processes import PROCESSES
from tests.guidance.toy_latents import (
    SHAPE,
    KeyedNoise,
    NormalData,
    decode,
    embed,
    masked,
    normals,
    oracle_guide,
    settings,
)

VP = PROCESSES["vp"]
TIME = torch.full((5,), 0.4)
LEVEL = VP.level(float(TIME[0]))
Z_T = normals(5, *SHAPE, seed=3)
CLEAN = normals(5, *SHAPE, seed=4)
ONES = torch.ones(5, *SHAPE)


NETWORK, GUIDE = NormalData(VP), oracle_guide(CLEAN)


def guided(denoiser: Denoiser = NETWORK, guide: Guide = GUIDE, mask: Tensor = ONES, **changes: Any) -> GuidedDenoiser:
    return GuidedDenoiser(denoiser, VP, guide, masked(mask), settings(**changes))


def rms(values: Tensor) -> Tensor:
    return values.flatten(1).square().mean(1).sqrt()


def pulled_to(anchor: Tensor, slope: float = 1.0) -> Guide:
    """A guide of known gradient, slope (z0 - anchor)."""
    return lambda z0: slope / 2 * (z0 - anchor).square().sum((1, 2, 3))


def sampled(kind: str, denoiser: Denoiser, solver: str, keys: list[int], steps: int = 8) -> Tensor:
    process = PROCESSES[kind]
    chain = uniform_time_chain(process, 1.0, steps)
    noise = KeyedNoise(keys)
    start = process.level(chain.start).sigma * noise.draw(0)
    sampler = Ddim(process, eta=0.5) if solver == "ddim" else DpmSolverPlusPlus(process)
    return sampler.sample(denoiser, start, chain, noise)


@pytest.mark.parametrize("kind", ["vp", "ve", "ddpm"])
@pytest.mark.parametrize("solver", ["ddim", "dpm_solver_pp"])
@pytest.mark.parametrize("gradient", ["cheap", "full"])
def test_no_scale_or_no_mask_is_the_unguided_sample_bit_for_bit(kind: str, solver: str, gradient: str) -> None:
    process = PROCESSES[kind]
    network = NormalData(process)
    plain = sampled(kind, network, solver, [0, 1, 2, 3, 4])
    for mask, scale in ((ONES, 0.0), (torch.zeros_like(ONES), 1.0)):
        denoiser = GuidedDenoiser(
            network, process, oracle_guide(CLEAN), masked(mask), settings(scale=scale, gradient=gradient)
        )
        assert torch.equal(sampled(kind, denoiser, solver, [0, 1, 2, 3, 4]), plain)
        assert denoiser.counts.guided.tolist() == [0] * 5
    denoiser = GuidedDenoiser(network, process, oracle_guide(CLEAN), masked(ONES), settings(gradient=gradient))
    assert not torch.equal(sampled(kind, denoiser, solver, [0, 1, 2, 3, 4]), plain)
    assert denoiser.counts.guided.tolist() == [8] * 5


def test_only_the_faces_and_entries_under_the_mask_change() -> None:
    mask = torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(5)) * (normals(5, *SHAPE, seed=6) > 0)
    mask[2] = 0
    denoiser = guided(mask=mask, scale=2.0)
    epsilon = NETWORK(Z_T, TIME)
    change = denoiser(Z_T, TIME) - epsilon
    assert (change[mask == 0] == 0).all()
    assert (change[mask > 0] != 0).float().mean() > 0.99
    assert denoiser.counts.guided.tolist() == [1, 1, 0, 1, 1]


def test_guidance_in_closed_form() -> None:
    """sigma eta m g, g the direction from the anchor to z0_hat; a steeper guide has the same direction."""
    mask = torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(7))
    epsilon = NETWORK(Z_T, TIME)
    away = (Z_T - LEVEL.sigma * epsilon) / LEVEL.alpha - CLEAN
    expected = epsilon + LEVEL.sigma * 0.7 * mask * away / rms(away)[:, None, None, None]
    for slope in (1.0, 1e-30, 1e30):
        found = guided(guide=pulled_to(CLEAN, slope), mask=mask, scale=0.7)(Z_T, TIME)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_the_full_gradient_in_closed_form() -> None:
    """Of epsilon = k z_t, entry by entry: dz0 / dz_t = (1 - sigma k) / alpha, which may turn the gradient around."""
    k = torch.linspace(0.1, 2.4, SHAPE[0] * 64).view(SHAPE)
    epsilon = k * Z_T
    away = (Z_T - LEVEL.sigma * epsilon) / LEVEL.alpha - CLEAN
    slope = away * (1 - LEVEL.sigma * k) / LEVEL.alpha
    assert (slope * away < 0).any()
    expected = epsilon + LEVEL.sigma * 0.5 * slope / rms(slope)[:, None, None, None]
    found = guided(lambda z, t: k * z, pulled_to(CLEAN), gradient="full")(Z_T, TIME)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_full_and_cheap_agree_where_the_noise_does_not_depend_on_the_state() -> None:
    epsilon = normals(5, *SHAPE, seed=8)
    cheap, full = (guided(lambda z, t: epsilon, gradient=gradient)(Z_T, TIME) for gradient in ("cheap", "full"))
    torch.testing.assert_close(cheap, full, rtol=1e-5, atol=1e-6)
    assert not torch.equal(cheap, epsilon)


@pytest.mark.parametrize("gradient", ["cheap", "full"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_gradient_that_is_not_finite_leaves_its_face_alone(gradient: str, bad: float) -> None:
    factor = torch.ones(5)
    factor[1] = bad
    good = oracle_guide(CLEAN)
    denoiser = guided(guide=lambda z0: good(z0) * factor, gradient=gradient)
    found, epsilon = denoiser(Z_T, TIME), NETWORK(Z_T, TIME)
    assert torch.equal(found[1], epsilon[1])
    assert torch.equal(found[[0, 2, 3, 4]], guided(guide=good, gradient=gradient)(Z_T, TIME)[[0, 2, 3, 4]])
    assert denoiser.counts.not_finite.tolist() == [0, 1, 0, 0, 0]
    assert denoiser.counts.guided.tolist() == [1, 0, 1, 1, 1]
    hidden = guided(
        guide=lambda z0: good(z0) * factor, gradient=gradient, mask=(factor == 1)[:, None, None, None] * ONES
    )
    assert hidden(Z_T, TIME).isfinite().all()
    assert hidden.counts.not_finite.tolist() == [0] * 5, "under an empty mask nothing counts"


def test_exploding_guidance_is_as_long_as_the_limit_and_counted() -> None:
    mask = ONES.clone()
    mask[3] = 1e-6
    epsilon = NETWORK(Z_T, TIME)
    free, limited = guided(mask=mask, scale=1e3, limit=1e9), guided(mask=mask, scale=1e3, limit=0.5)
    change, clipped = free(Z_T, TIME) - epsilon, limited(Z_T, TIME) - epsilon
    exploded = [0, 1, 2, 4]
    torch.testing.assert_close(rms(clipped)[exploded], 0.5 * rms(epsilon)[exploded])
    torch.testing.assert_close(
        clipped[exploded] / rms(clipped)[exploded, None, None, None],
        change[exploded] / rms(change)[exploded, None, None, None],
        rtol=1e-3,
        atol=1e-4,
    )
    assert torch.equal(clipped[3], change[3])
    assert limited.counts.clipped.tolist() == [1, 1, 1, 0, 1]
    assert free.counts.clipped.tolist() == [0] * 5
    assert limited.counts.guided.tolist() == free.counts.guided.tolist() == [1] * 5


@pytest.mark.parametrize("kind", ["vp", "ddpm"])
def test_guidance_acts_within_the_window_at_every_nth_evaluation(kind: str) -> None:
    process = PROCESSES[kind]
    parts = (0.9, 0.7, 0.6, 0.5, 0.4, 0.3, 0.1)
    timesteps = [process.at(part) for part in parts]
    network = NormalData(process)
    denoiser = GuidedDenoiser(
        network, process, oracle_guide(CLEAN), masked(ONES), settings(window=(0.2, 0.65), every=2)
    )
    times = [torch.full((5,), timestep) for timestep in timesteps]
    changed = [not torch.equal(denoiser(Z_T, t), network(Z_T, t)) for t in times]
    assert [part for part, is_changed in zip(parts, changed, strict=True) if is_changed] == [0.6, 0.4]
    assert denoiser.counts.guided.tolist() == [2] * 5


def test_the_mask_is_asked_for_the_part_of_the_process() -> None:
    schedule = PROCESSES["ddpm"]
    asked: list[float] = []

    def mask(part: float) -> Tensor:
        asked.append(part)
        return ONES

    GuidedDenoiser(NormalData(schedule), schedule, oracle_guide(CLEAN), mask, settings())(Z_T, torch.full((5,), 499))
    assert asked == [0.5]


def test_a_face_at_its_target_is_left_alone() -> None:
    clean = LEVEL.x0(Z_T, NETWORK(Z_T, TIME))
    anchor = CLEAN.clone()
    anchor[0] = clean[0]
    denoiser = guided(guide=pulled_to(anchor))
    assert torch.equal(denoiser(Z_T, TIME)[0], NETWORK(Z_T, TIME)[0])
    assert denoiser.counts.guided.tolist() == [0, 1, 1, 1, 1]
    assert denoiser.counts.not_finite.tolist() == [0] * 5


class Network(nn.Module):
    """A convolution of each face by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 3, padding=1)
        with torch.no_grad():
            self.layer.weight.copy_(normals(3, 3, 3, 3, seed=9) / 6)

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        return NETWORK(z, t) + 0.3 * VP.level(t[0].item()).alpha * self.layer(z).tanh()


@pytest.mark.parametrize("gradient", ["cheap", "full"])
@pytest.mark.parametrize("solver", ["ddim", "dpm_solver_pp"])
def test_a_guided_face_does_not_depend_on_its_batch(gradient: str, solver: str) -> None:
    mask = torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(10))
    mask[1] = 0
    factor = torch.tensor([1.0, 1.0, torch.nan, 1.0, 1.0])
    network = Network()

    def run(faces: list[int]) -> tuple[Tensor, list[list[int]]]:
        good = IdentityGuide(embed, decode, embed(decode(CLEAN[faces])), CLEAN[faces], 0.1)
        denoiser = GuidedDenoiser(
            network,
            VP,
            lambda z0: good(z0) * factor[faces],
            masked(mask[faces]),
            settings(gradient=gradient, window=(0.05, 0.7), every=2, scale=3.0, limit=0.4),
        )
        z0 = sampled("vp", denoiser, solver, faces)
        counts = denoiser.counts
        return z0, torch.stack([counts.guided, counts.clipped, counts.not_finite], dim=1).tolist()

    together, counts = run([0, 1, 2, 3, 4])
    again, _ = run([0, 1, 2, 3, 4])
    assert torch.equal(together, again)
    for face in range(5):
        alone, own = run([face])
        torch.testing.assert_close(alone, together[face : face + 1], rtol=1e-4, atol=1e-4)
        assert own == [counts[face]]
    assert counts[1] == [0, 0, 0]
    assert counts[2][:2] == [0, 0]
    assert counts[2][2] == counts[0][0] >= counts[0][1] > 0


@pytest.mark.parametrize("gradient", ["cheap", "full"])
def test_inference_mode_changes_nothing_and_no_weight_gets_a_gradient(gradient: str) -> None:
    network = Network()
    expected = guided(network, gradient=gradient)(Z_T, TIME)
    with torch.inference_mode():
        guide = IdentityGuide(embed, decode, GUIDE.target * 1, CLEAN * 1, 0.0)
        found = guided(network, guide, ONES * 1, gradient=gradient)(Z_T * 1, TIME * 1)
    assert torch.equal(found, expected)
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("gradient", ["cheap", "full"])
def test_the_guide_computes_in_float32_under_autocast(gradient: str) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        found = guided(gradient=gradient)(Z_T, TIME)
    assert torch.equal(found, guided(gradient=gradient)(Z_T, TIME))


def test_the_guided_noise_of_a_chain_needs_no_graph() -> None:
    chain: Chain = uniform_time_chain(VP, 0.6, 3)
    denoiser = guided(Network(), gradient="full")
    with torch.no_grad():
        for time in chain.timesteps:
            assert not denoiser(Z_T, torch.full((5,), time)).requires_grad
