"""Constructed positives and negatives."""

import pytest
import torch
from torch import Tensor

from src.losses.image_similarity import gaussian_blur
from src.metric_learning.negative import constructed_negatives
from src.metric_learning.positive import constructed_positive, frequency_split, laplacian_blend
from src.settings.codeformer_plus_plus import NEGATIVES, POSITIVES

SIDE = 64
CUTOFF = 16.0
"""Two pixels of these faces."""


def faces(count: int, height: int = SIDE, width: int = SIDE) -> Tensor:
    return torch.rand(count, 2, 3, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1


def soft_mask() -> Tensor:
    mask = torch.zeros(2, 1, SIDE, SIDE)
    mask[..., 16:48, 16:48] = 1
    return gaussian_blur(mask, 2.0).clamp(0, 1)


def test_the_paste_is_the_identity_branch_where_the_mask_is_one() -> None:
    identity, warped = faces(2)
    mask = torch.zeros(2, 1, SIDE, SIDE)
    mask[..., 20:40, 10:30] = 1
    positive = constructed_positive("paste", identity, warped, mask, CUTOFF)
    inside = mask.bool().expand_as(identity)
    assert torch.equal(positive[inside], identity[inside])
    assert torch.equal(positive[~inside], warped[~inside])


def test_the_frequency_split_has_the_texture_of_the_registered_face_everywhere() -> None:
    identity, warped = faces(2)
    mask = soft_mask()
    positive = constructed_positive("frequency", identity, warped, mask, CUTOFF)
    low_identity, low_warped = gaussian_blur(identity, 2.0), gaussian_blur(warped, 2.0)
    torch.testing.assert_close(positive - (warped - low_warped), mask * low_identity + (1 - mask) * low_warped)


@pytest.mark.parametrize("kind", POSITIVES)
def test_positives_at_the_extremes_of_the_mask(kind: str) -> None:
    identity, warped = faces(2)
    none, all_ = (torch.full((2, 1, SIDE, SIDE), value) for value in (0.0, 1.0))
    torch.testing.assert_close(constructed_positive(kind, identity, warped, none, CUTOFF), warped)
    kept = constructed_positive(kind, identity, warped, all_, CUTOFF)
    texture = warped - gaussian_blur(warped, 2.0)
    expected = gaussian_blur(identity, 2.0) + texture if kind == "frequency" else identity
    torch.testing.assert_close(kept, expected)


@pytest.mark.parametrize("kind", POSITIVES)
def test_joining_a_face_with_itself_changes_nothing(kind: str) -> None:
    identity = faces(1)[0]
    torch.testing.assert_close(constructed_positive(kind, identity, identity, soft_mask(), CUTOFF), identity)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (37, 50), (5, 9)])
def test_a_constant_mask_makes_the_laplacian_blend_a_mean(height: int, width: int) -> None:
    identity, warped = faces(2, height, width)
    mask = torch.full((2, 1, height, width), 0.3)
    torch.testing.assert_close(laplacian_blend(identity, warped, mask), 0.3 * identity + 0.7 * warped)


def test_more_levels_widen_the_seam_between_flat_faces_and_keep_texture_sharp() -> None:
    flat = torch.ones(1, 3, SIDE, SIDE)
    mask = (torch.arange(SIDE) < SIDE // 2).float().expand(1, 1, SIDE, SIDE)
    steepest = [laplacian_blend(flat, -flat, mask, levels).diff(dim=3).abs().max().item() for levels in (1, 2, 3, 4)]
    assert steepest[0] == 2
    assert steepest == sorted(steepest, reverse=True)
    assert steepest[-1] < 0.5
    far = laplacian_blend(flat, -flat, mask)
    torch.testing.assert_close(far[..., 0], flat[..., 0], atol=0.02, rtol=0)
    checks = ((torch.arange(SIDE)[:, None] + torch.arange(SIDE)) % 2 * 2.0 - 1).expand(1, 3, SIDE, SIDE)
    blended = laplacian_blend(checks, 0 * checks, mask)
    torch.testing.assert_close(blended[..., 8:24], checks[..., 8:24], atol=0.01, rtol=0)


def test_frequencies_above_the_cutoff_come_from_the_registered_face() -> None:
    checks = ((torch.arange(SIDE)[:, None] + torch.arange(SIDE)) % 2 * 1.0 - 0.5).expand(1, 3, SIDE, SIDE)
    flat = torch.full((1, 3, SIDE, SIDE), 0.25)
    joined = frequency_split(flat, checks, torch.ones(1, 1, SIDE, SIDE), 2.0)[..., 8:-8, 8:-8]
    torch.testing.assert_close(joined, (flat + checks)[..., 8:-8, 8:-8], atol=1e-3, rtol=0)


def test_the_negatives_are_those_of_the_sheet() -> None:
    identity, generative = faces(2)
    mask = soft_mask()
    made = constructed_negatives(NEGATIVES, identity, generative, mask, 24.0)
    assert tuple(made) == NEGATIVES
    assert torch.equal(made["identity_branch"], identity)
    assert torch.equal(made["generative_branch"], generative)
    torch.testing.assert_close(made["blurred"], gaussian_blur(identity, 3.0))
    # Where nothing moves, positive and mirrored negative hold both faces between them.
    positive = constructed_positive("paste", identity, generative, mask, CUTOFF)
    torch.testing.assert_close(made["mirrored"] + positive, identity + generative)


def test_the_negatives_come_in_the_order_asked_for() -> None:
    identity, generative = faces(2)
    assert list(constructed_negatives(["mirrored", "blurred"], identity, generative, soft_mask(), 24.0)) == [
        "mirrored",
        "blurred",
    ]


def test_unknown_names_are_refused() -> None:
    identity, generative = faces(2)
    with pytest.raises(ValueError, match="positive 'glue' is not one of paste, frequency, laplacian"):
        constructed_positive("glue", identity, generative, soft_mask(), CUTOFF)
    with pytest.raises(ValueError, match="negative 'sharp' is not one of identity_branch, "):
        constructed_negatives(["sharp"], identity, generative, soft_mask(), 24.0)
