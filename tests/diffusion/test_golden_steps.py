"""One step of every published kind with a constant in the network's place (GOLDEN.md, stub.*)."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from src.diffusion.ancestral import Ancestral
from src.diffusion.chain import Chain
from src.diffusion.ddim import Ddim
from src.diffusion.denoising_loss import hybrid_loss, simple_loss
from src.diffusion.forward_process import noised, posterior_mean
from src.diffusion.inpainting import KnownPixels
from src.diffusion.model_output import learned_log_variance, predicted_x0
from src.diffusion.respacing import respaced, respaced_timesteps
from src.diffusion.sampler import Correction, Sampler
from src.diffusion.schedule import NoiseSchedule
from tests.diffusion.golden import normal, uniform

Golden = dict[str, np.ndarray]
SCHEDULE = NoiseSchedule.linear()
SHAPE = (3, 3, 16, 16)
X_T, OUTPUT, Z, Y0 = normal(0, *SHAPE), uniform(1, 3, 6, 16, 16), normal(2, *SHAPE), uniform(3, *SHAPE)
INDICES = (99, 40, 0)
SPECS = {"r250": "250", "ddim250": "ddim250"}
T = torch.tensor(INDICES)


class Constant:
    """The same noise at every step."""

    def __init__(self, noise: Tensor) -> None:
        self.noise = noise

    def draw(self, number: int) -> Tensor:
        return self.noise


def close(actual: Tensor, expected: np.ndarray, atol: float = 2e-5) -> None:
    torch.testing.assert_close(actual, torch.from_numpy(expected), rtol=0, atol=atol)


def first_steps(
    spec: str, sampler: Sampler, correct: Callable[[int], Correction] | None = None
) -> tuple[Tensor, Tensor, list[int]]:
    """Of each sample from its own index: the estimate of x_0, the state after the first step, the timestep asked for."""
    grid = respaced_timesteps(spec, 1000)
    estimates, states, asked = [], [], []
    for i, index in enumerate(INDICES):
        seen: list[tuple[int, Tensor, Tensor]] = []
        result = sampler.sample(
            lambda x, t, i=i: OUTPUT[i : i + 1],
            X_T[i : i + 1],
            Chain(tuple(grid[index::-1]), grid[index + 1]),
            Constant(Z[i : i + 1]),
            correct(i) if correct else None,
            lambda number, timestep, x_t, x0, seen=seen: seen.append((timestep, x_t, x0)),
        )
        assert len(seen) == index + 1
        estimates.append(seen[0][2])
        states.append(seen[1][1] if index else result)
        asked.append(seen[0][0])
    return torch.cat(estimates), torch.cat(states), asked


@pytest.mark.parametrize("name", SPECS)
def test_mean_and_variance(golden: Golden, name: str) -> None:
    process = respaced(SCHEDULE, SPECS[name])
    epsilon, interpolation = OUTPUT.chunk(2, 1)
    x0 = predicted_x0(process, X_T, epsilon, T)
    if name == "r250":
        close(x0, golden["stub.r250.pmv_noclip.pred_xstart"])
    close(x0.clamp(-1, 1), golden[f"stub.{name}.pmv.pred_xstart"])
    close(posterior_mean(process, x0.clamp(-1, 1), X_T, T), golden[f"stub.{name}.pmv.mean"])
    log_variance = learned_log_variance(process, interpolation, T)
    close(log_variance, golden[f"stub.{name}.pmv.log_variance"])
    close(log_variance.exp(), golden[f"stub.{name}.pmv.variance"])


@pytest.mark.parametrize("name", SPECS)
def test_ancestral_step(golden: Golden, name: str) -> None:
    x0, state, asked = first_steps(SPECS[name], Ancestral(SCHEDULE, clip=1.0))
    close(state, golden[f"stub.{name}.ddpm_sample"])
    close(x0, golden[f"stub.{name}.pmv.pred_xstart"])
    assert asked == golden[f"stub.{name}.model_t"].tolist()


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", SPECS)
def test_ddim_step(golden: Golden, name: str, eta: float) -> None:
    _, state, asked = first_steps(SPECS[name], Ddim(SCHEDULE, eta, clip=1.0))
    close(state, golden[f"stub.{name}.ddim_sample_eta{eta}"])
    assert asked == golden[f"stub.{name}.model_t"].tolist()


def test_ddim_quirks_change_the_result(golden: Golden) -> None:
    """Where clipping acts, the raw epsilon is another one; sigma^2 in proportion to eta is more noise below 1."""
    published = torch.from_numpy(golden["stub.ddim250.ddim_sample_eta0.5"])
    _, recomputed, _ = first_steps("ddim250", Ddim(SCHEDULE, 0.5, clip=1.0, raw_epsilon=False))
    unclipped = predicted_x0(respaced(SCHEDULE, "ddim250"), X_T, OUTPUT[:, :3], T)
    acting = (unclipped.abs() > 1) & (T != 0).view(-1, 1, 1, 1)
    near = (recomputed - published).abs() < 2e-5
    assert acting.any()
    assert near[~acting].all()
    assert not near[acting & (unclipped.abs() > 1.1)].any()
    paper = Ddim(SCHEDULE, 0.25, clip=1.0, sigma_scaling="linear")
    close(first_steps("ddim250", paper)[1], golden["stub.ddim250.ddim_sample_eta0.5"])


@pytest.mark.parametrize("name", SPECS)
def test_noised_start(golden: Golden, name: str) -> None:
    process = respaced(SCHEDULE, SPECS[name])
    close(noised(process, Y0, torch.full((3,), 100), Z), golden[f"stub.{name}.q_sample_t100"])


@pytest.mark.parametrize(("gamma", "updates"), [(0.5, 1), (0.5, 2), (0.2, 1)])
def test_inpainting_step(golden: Golden, gamma: float, updates: int) -> None:
    missing = (uniform(4, 3, 1, 16, 16) > 0).float()

    def correct(i: int) -> Correction:
        return KnownPixels(Y0[i : i + 1], missing[i : i + 1], gamma, updates)

    x0, state, _ = first_steps("ddim250", Ddim(SCHEDULE, 1.0, clip=1.0), correct)
    close(x0, golden[f"stub.ddim250.inpaint_g{gamma}_n{updates}.pred_xstart"])
    if (gamma, updates) != (0.2, 1):
        close(state, golden[f"stub.ddim250.inpaint_g{gamma}_n{updates}.sample"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_training_terms(golden: Golden, dtype: torch.dtype) -> None:
    told: list[Tensor] = []

    def network(x_t: Tensor, t: Tensor) -> Tensor:
        told.append(t)
        return OUTPUT

    t = torch.tensor([0, 500, 999])
    terms = hybrid_loss(SCHEDULE, network, Y0.to(dtype), t, Z.to(dtype))
    assert terms.vb is not None
    for name, value in (("mse", terms.mse), ("vb", terms.vb), ("loss", terms.loss)):
        expected = torch.from_numpy(golden[f"stub.train.{name}"])
        torch.testing.assert_close(value[0].float(), expected[0], rtol=1e-3, atol=0)
        close(value[1:].float(), expected[1:].numpy())
    simple = simple_loss(SCHEDULE, network, Y0.to(dtype), t, Z.to(dtype))
    assert torch.equal(simple.loss, terms.mse)
    assert [t.tolist() for t in told] == [[0, 500, 999]] * 2


@pytest.mark.parametrize(("kind", "curve"), [("small", "posterior_variance"), ("large", "betas")])
def test_fixed_variances_of_a_network_without_its_own(kind: Literal["small", "large"], curve: str) -> None:
    """Two draws at the second of two steps differ by the standard deviation."""
    process, x, chain = respaced(SCHEDULE, "ddim250"), X_T[:1], Chain((396, 392, 0), 396)
    states = []
    for z in (torch.zeros_like(x), torch.ones_like(x)):
        seen: list[Tensor] = []
        Ancestral(SCHEDULE, fixed_variance=kind).sample(
            lambda x, t: OUTPUT[:1, :3], x, chain, Constant(z), None, lambda n, t, x_t, x0, seen=seen: seen.append(x_t)
        )
        states.append(seen[1])
    torch.testing.assert_close(
        (states[1] - states[0]).mean().item() ** 2, getattr(process, curve)[99], rtol=1e-3, atol=0
    )
