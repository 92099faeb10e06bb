"""The guiding loss, and that following it leads to the person."""

import pytest
import torch
from torch.nn.functional import normalize

from src.diffusion.ddim import Ddim
from src.diffusion.time_chain import uniform_time_chain
from src.guidance.guide_gradient import guide_direction
from src.guidance.guided_denoiser import GuidedDenoiser
from src.guidance.identity_guide import IdentityGuide, identity_distance
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


def test_the_loss_in_closed_form() -> None:
    """With embeddings of three numbers: 1 - the cosine of the angle, plus the mean squared distance to the anchor."""
    angles = torch.tensor([0.0, 60.0, 180.0]).deg2rad()
    target = torch.stack([angles.cos(), angles.sin(), 0 * angles], dim=1)
    z0, anchor = torch.zeros(3, *SHAPE), torch.full((3, *SHAPE), 2.0)
    guide = IdentityGuide(lambda faces: faces.new_tensor([[1.0, 0, 0]] * 3), lambda z: z, target, anchor, 0.5)
    torch.testing.assert_close(guide(z0), torch.tensor([0.0, 0.5, 2.0]) + 0.5 * 4)


def test_the_constraint_pulls_to_the_anchor() -> None:
    clean, anchor, z0 = (normals(2, *SHAPE, seed=seed) for seed in (20, 21, 22))
    target = embed(decode(clean))
    strong = IdentityGuide(embed, decode, target, anchor, 1e6)
    away = z0 - anchor
    expected = away / away.square().mean((1, 2, 3), keepdim=True).sqrt()
    torch.testing.assert_close(guide_direction(strong, z0).unit, expected, rtol=1e-3, atol=1e-3)
    without = guide_direction(IdentityGuide(embed, decode, target), z0).unit
    torch.testing.assert_close(guide_direction(IdentityGuide(embed, decode, target, anchor), z0).unit, without)


def test_the_distance_falls_over_guidance_steps_to_an_oracle_target() -> None:
    guide, z0 = oracle_guide(normals(4, *SHAPE, seed=23)), normals(4, *SHAPE, seed=24)
    losses = []
    for _ in range(20):
        losses.append(guide(z0))
        z0 = z0 - 0.01 * guide_direction(guide, z0).unit
    history = torch.stack(losses)
    assert (history[1:] < history[:-1]).all()
    assert (history[-1] < 0.4 * history[0]).all()


@pytest.mark.parametrize("kind", ["vp", "ve", "ddpm"])
@pytest.mark.parametrize("gradient", ["cheap", "full"])
def test_stronger_guidance_samples_faces_nearer_to_the_oracle(kind: str, gradient: str) -> None:
    process, clean = PROCESSES[kind], normals(4, *SHAPE, seed=25)
    chain, noise = uniform_time_chain(process, 1.0, 10), KeyedNoise([0, 1, 2, 3])
    target = embed(decode(clean))
    distances = []
    for scale in (0.0, 0.01, 0.03, 0.1):
        guidance = settings(scale=scale, gradient=gradient, window=(0.05, 0.7), limit=1.0)
        denoiser = GuidedDenoiser(
            NormalData(process), process, oracle_guide(clean), masked(torch.ones(4, *SHAPE)), guidance
        )
        start = process.level(chain.start).sigma * noise.draw(0)
        z0 = Ddim(process, eta=0.0).sample(denoiser, start, chain, noise)
        distances.append(identity_distance(embed, decode(z0), target).mean().item())
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.6 * distances[0]


def test_embeddings_of_any_length_have_the_same_distance() -> None:
    faces, target = decode(normals(3, *SHAPE, seed=26)), normalize(normals(3, 16, seed=27), dim=1)
    long = identity_distance(lambda x: 7 * embed(x), faces, target)
    torch.testing.assert_close(long, identity_distance(embed, faces, target))
