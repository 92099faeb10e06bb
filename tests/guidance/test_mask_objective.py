"""What a latent mask learns from its two objectives."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from src.guidance.guide_gradient import guide_direction
from src.guidance.mask_objective import Terms, guidance_gain_terms, identity_set_terms, total_variation
from tests.guidance.toy_latents import SHAPE, decode, embed, normals, oracle_guide

Objective = Callable[[Tensor], Terms]

CLEAN, RESTORED = normals(4, *SHAPE, seed=30), normals(4, *SHAPE, seed=31)
TARGET = embed(decode(CLEAN))


def squared(first: Tensor, second: Tensor) -> Tensor:
    return (first - second).square().mean()


def set_terms(mask: Tensor) -> Terms:
    return identity_set_terms(mask, CLEAN, RESTORED, decode, embed, TARGET)


def gain_terms(mask: Tensor, step: float = 1.0) -> Terms:
    return guidance_gain_terms(mask, RESTORED, oracle_guide(CLEAN), decode, squared, embed, decode(CLEAN), TARGET, step)


def learned(objective: Objective, weight: float) -> Tensor:
    """A global mask after 60 steps of Adam with that weight of its area."""
    logits = torch.zeros(SHAPE, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.25)
    for _ in range(60):
        terms = objective(logits.sigmoid().expand(4, *SHAPE))
        loss = sum(term for name, term in terms.items() if name in ("identity", "perceptual")) + weight * terms["area"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return logits.detach().sigmoid()


@pytest.mark.parametrize("objective", [set_terms, gain_terms])
def test_the_area_falls_as_its_weight_grows(objective: Objective) -> None:
    areas = [learned(objective, weight).mean().item() for weight in (0.0, 0.1, 1.0, 10.0)]
    assert areas == sorted(areas, reverse=True)
    assert areas[0] > 0.4
    assert areas[-1] < 0.05


def test_terms_at_the_ends() -> None:
    """The mask 1 takes the clean latent whole, the mask 0 the restored one; z' of mask 0 is the estimate itself."""
    ones, zeros = torch.ones(4, *SHAPE), torch.zeros(4, *SHAPE)
    assert set_terms(ones)["identity"].item() == pytest.approx(0, abs=1e-6)
    unguided = 1 - (embed(decode(RESTORED)) * TARGET).sum(1).mean()
    torch.testing.assert_close(set_terms(zeros)["identity"], unguided)
    torch.testing.assert_close(gain_terms(zeros)["identity"], unguided)
    torch.testing.assert_close(gain_terms(zeros)["perceptual"], squared(decode(RESTORED), decode(CLEAN)))
    half = set_terms(ones / 4)
    assert {name: round(half[name].item(), 6) for name in ("area", "binary", "smoothness")} == {
        "area": 0.25,
        "binary": 0.1875,
        "smoothness": 0.0,
    }


def test_one_step_of_guidance_in_closed_form() -> None:
    mask = torch.rand(4, *SHAPE, generator=torch.Generator().manual_seed(32))
    unit = guide_direction(oracle_guide(CLEAN), RESTORED).unit
    torch.testing.assert_close(unit.square().mean((1, 2, 3)), torch.ones(4))
    face = decode(RESTORED - 0.3 * mask * unit)
    terms = gain_terms(mask, step=0.3)
    torch.testing.assert_close(terms["identity"], 1 - (embed(face) * TARGET).sum(1).mean())
    torch.testing.assert_close(terms["perceptual"], squared(face, decode(CLEAN)))


def test_the_smallest_set_that_carries_identity_is_found() -> None:
    """A recogniser that looks at the upper half of the first channel alone: the mask keeps just these entries."""

    def upper(z: Tensor) -> Tensor:
        return torch.cat([z[:, :1, :4], torch.zeros_like(z[:, :1, 4:])], dim=2).expand(-1, 3, -1, -1)

    def as_vector(faces: Tensor) -> Tensor:
        return torch.nn.functional.normalize(faces.flatten(1), dim=1)

    target = as_vector(upper(CLEAN))
    mask = learned(lambda mask: identity_set_terms(mask, CLEAN, RESTORED, upper, as_vector, target), 0.1)
    assert mask[0, :4].min() > 0.5
    assert mask[0, 4:].max() < 0.1
    assert mask[1:].max() < 0.1


def test_where_guidance_hurts_the_picture_the_mask_closes() -> None:
    """The guide pulls both halves to the target; the picture's error counts where the target is the wrong picture."""
    wrong = CLEAN.clone()
    wrong[..., 4:] = -wrong[..., 4:]

    def guide(z0: Tensor) -> Tensor:
        return (z0 - wrong).square().sum((1, 2, 3))

    def gain(mask: Tensor) -> Terms:
        return guidance_gain_terms(mask, RESTORED, guide, lambda z: z, squared, as_image, CLEAN, as_image(CLEAN), 1.0)

    def as_image(faces: Tensor) -> Tensor:
        return torch.ones(len(faces), 1) + 0 * faces.flatten(1)[:, :1]

    mask = learned(gain, 0.0)
    assert mask[..., :4].mean() > mask[..., 4:].mean() + 0.3


def test_gradients_reach_the_mask_alone() -> None:
    mask = torch.full((4, *SHAPE), 0.5, requires_grad=True)
    clean, restored = CLEAN.clone().requires_grad_(), RESTORED.clone().requires_grad_()
    gain = guidance_gain_terms(mask, restored, oracle_guide(CLEAN), decode, squared, embed, decode(CLEAN), TARGET, 0.1)
    terms = [*identity_set_terms(mask, clean, restored, decode, embed, TARGET).values(), *gain.values()]
    torch.stack(terms).sum().backward()
    assert mask.grad is not None
    assert mask.grad.abs().min() > 0
    assert clean.grad is None
    assert restored.grad is None


def test_total_variation_of_a_checkerboard_and_of_a_single_cell() -> None:
    board = ((torch.arange(6)[:, None] + torch.arange(5)) % 2).float().expand(2, 3, 6, 5)
    assert total_variation(board).item() == 1
    stripes = (torch.arange(5) % 2).float().expand(2, 3, 6, 5)
    assert total_variation(stripes).item() == 0.5
    assert total_variation(torch.ones(1, 3, 1, 1)).item() == 0
