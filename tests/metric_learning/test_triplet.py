"""Triplet loss, InfoNCE, and the whole metric learning loss."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from src.metric_learning.contrast import metric_learning_loss
from src.metric_learning.feature_space import FeatureMaps, FeatureSpace, PixelSpace, cosines
from src.metric_learning.info_nce import info_nce_loss
from src.metric_learning.positive import constructed_positive
from src.metric_learning.triplet import triplet_loss
from src.settings.codeformer_plus_plus import CONTRASTS, NEGATIVES, POSITIVES, MetricLearningSettings

SETTINGS = MetricLearningSettings(
    weight=0.1,
    contrast="triplet",
    margin=0.2,
    temperature=0.07,
    positive="paste",
    negatives=list(NEGATIVES),
    features="pixels",
    mask="landmarks",
    dilation=7.0,
    feather=5.0,
    cutoff=32.0,
    blur=64.0,
)


class RandomSpace(FeatureSpace):
    """Two depths of a convolutional network with random weights."""

    name = "random"
    network: nn.Sequential

    def __init__(self) -> None:
        torch.manual_seed(0)
        first = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Tanh())
        super().__init__(nn.Sequential(first, nn.Sequential(nn.Conv2d(8, 12, 3, stride=2), nn.Tanh())))

    def features(self, image: Tensor) -> FeatureMaps:
        shallow = self.network[0](image)
        return [shallow, self.network[1](shallow)]


def branches() -> dict[str, Tensor]:
    """Smooth identity branch, textured other ones, and a mask over the middle."""
    drawn = torch.rand(3, 2, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 1.6 - 0.8
    mask = torch.zeros(2, 1, 32, 32)
    mask[..., 8:24, 8:24] = 1
    smooth = nn.functional.avg_pool2d(drawn[0], 5, 1, 2)
    return {"identity": smooth, "generative": drawn[1], "warped": drawn[2], "mask": mask}


def positive_of(given: dict[str, Tensor]) -> Tensor:
    return constructed_positive("paste", given["identity"], given["warped"], given["mask"], 32.0)


POSITIVE = torch.tensor([[0.9, 0.5], [0.8, 0.4]])
NEGATIVE = torch.tensor([[[0.8, 0.2], [0.1, 0.1]], [[0.5, 0.6], [0.7, 0.5]], [[0.4, 0.0], [0.9, 0.2]]])


def test_triplets_in_closed_form() -> None:
    """Face 0: means 0.5, 0.55, 0.2, so negative 1, though 0 is nearer in the first layer; face 1: 0.1, 0.6, 0.55."""
    triplets = triplet_loss(POSITIVE, NEGATIVE, 0.2)
    assert triplets.hardest.tolist() == [1, 1]
    terms = [0, 0.2 - 0.5 + 0.6, 0.2 - 0.8 + 0.7, 0.2 - 0.4 + 0.5]
    assert triplets.loss.item() == pytest.approx(sum(terms) / 4)
    assert triplets.active.item() == 0.75


def test_each_face_has_a_hardest_negative_of_its_own_and_only_that_counts() -> None:
    negatives = torch.tensor([[[0.6], [0.1]], [[0.2], [0.7]]]).requires_grad_()
    triplets = triplet_loss(torch.tensor([[0.5], [0.6]]), negatives, 0.3)
    assert triplets.hardest.tolist() == [0, 1]
    (gradient,) = torch.autograd.grad(triplets.loss, negatives)
    assert gradient.flatten().tolist() == [0.5, 0, 0, 0.5]


def test_triplets_beyond_the_margin_get_no_gradient() -> None:
    positive = POSITIVE.clone().requires_grad_()
    triplets = triplet_loss(positive, NEGATIVE - 1, 0.2)
    (gradient,) = torch.autograd.grad(triplets.loss, positive)
    assert triplets.loss == triplets.active == 0
    assert not gradient.any()


def test_info_nce_is_the_cross_entropy_of_the_positive_among_all() -> None:
    losses = []
    for face, layer in product(range(2), range(2)):
        logits = torch.cat([POSITIVE[face, layer][None], NEGATIVE[:, face, layer]]) / 0.07
        losses.append(cross_entropy(logits[None], torch.tensor([0])))
    torch.testing.assert_close(info_nce_loss(POSITIVE, NEGATIVE, 0.07), torch.stack(losses).mean())


def test_info_nce_falls_with_the_positive_and_rises_with_every_negative() -> None:
    values = [info_nce_loss(POSITIVE + shift, NEGATIVE, 0.07).item() for shift in (-0.4, -0.2, 0.0, 0.1)]
    assert values == sorted(values, reverse=True)
    negatives = NEGATIVE.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(info_nce_loss(POSITIVE, negatives, 0.07), negatives)
    assert (gradient > 0).all()
    alike = info_nce_loss(torch.ones(2, 2), torch.ones(3, 2, 2), 0.07)
    assert alike.item() == pytest.approx(math.log(4))


def test_the_loss_is_zero_on_the_positive_where_negatives_are_far() -> None:
    given = branches()
    fused = positive_of(given)
    settings = replace(SETTINGS, negatives=["generative_branch", "mirrored"])
    loss, facts = metric_learning_loss(fused, **given, features=PixelSpace(), settings=settings)
    assert facts["cosine_positive"].item() == pytest.approx(1, abs=1e-5)
    assert max(facts["cosine_generative_branch"], facts["cosine_mirrored"]) < 1 - settings.margin
    assert loss == facts["active_triplets"] == 0
    nearer = replace(settings, margin=1.5)
    assert metric_learning_loss(fused, **given, features=PixelSpace(), settings=nearer)[1]["active_triplets"] == 1


def test_the_loss_on_a_negative_is_what_it_lacks_and_the_margin() -> None:
    given = branches()
    settings = replace(SETTINGS, negatives=["identity_branch"])
    space = PixelSpace()
    loss, facts = metric_learning_loss(given["identity"], **given, features=space, settings=settings)
    expected = 0.2 - cosines(space(given["identity"]), space(positive_of(given))) + 1
    assert loss.item() == pytest.approx(expected.mean().item(), rel=1e-5)
    assert facts["cosine_identity_branch"].item() == pytest.approx(1, abs=1e-5)
    assert set(facts) == {"cosine_positive", "cosine_identity_branch", "active_triplets"}


@pytest.mark.parametrize(("contrast", "positive"), [*product(CONTRASTS, POSITIVES)])
def test_the_gradient_reaches_the_fused_face_only(contrast: str, positive: str) -> None:
    given = {name: value.requires_grad_() for name, value in branches().items()}
    fused = given["identity"].detach().clone().requires_grad_()
    space = RandomSpace()
    settings = replace(SETTINGS, contrast=contrast, positive=positive)
    loss, facts = metric_learning_loss(fused, **given, features=space, settings=settings)
    loss.backward()
    assert fused.grad is not None
    assert fused.grad.flatten(1).any(1).all()
    assert all(value.grad is None for value in (*given.values(), *space.parameters()))
    assert not any(value.requires_grad for value in facts.values())
    assert ("active_triplets" in facts) == (contrast == "triplet")


def climbed(contrast: str, given: dict[str, Tensor], negatives: Sequence[str]) -> tuple[list[float], list[float]]:
    """Losses and cosines to the positive over 20 steps on the pixels, from the identity branch, moved a little."""
    space = RandomSpace()
    settings = replace(SETTINGS, contrast=contrast, negatives=list(negatives))
    noise = 0.05 * torch.randn(given["identity"].shape, generator=torch.Generator().manual_seed(2))
    fused = (given["identity"] + noise).requires_grad_()
    optimizer = torch.optim.Adam([fused], lr=0.03)
    losses, near = [], []
    for _ in range(20):
        loss, facts = metric_learning_loss(fused, **given, features=space, settings=settings)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        near.append(facts["cosine_positive"].item())
    return losses, near


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_descending_the_loss_moves_the_face_towards_the_positive(contrast: str) -> None:
    losses, near = climbed(contrast, branches(), NEGATIVES)
    assert losses[-1] < 0.5 * losses[0]
    assert near[-1] > near[0] + 0.1


def test_positives_are_made_in_float32_under_autocast() -> None:
    given = branches()
    settings = replace(SETTINGS, positive="frequency")
    plain, _ = metric_learning_loss(given["generative"], **given, features=PixelSpace(), settings=settings)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed, _ = metric_learning_loss(given["generative"], **given, features=PixelSpace(), settings=settings)
    torch.testing.assert_close(mixed, plain)
