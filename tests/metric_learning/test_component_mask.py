"""Component masks from landmarks, rendered parts and parsed classes, and how they are softened."""

import cmath
import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from src.faces import RenderedFace, render_face
from src.faces.landmarks import five_points
from src.faces.template import FFHQ_TEMPLATE
from src.metric_learning.component_mask import (
    CELEBAMASK_CLASSES,
    dilated,
    five_landmarks,
    landmark_mask,
    parsed_mask,
    part_mask,
    softened,
)
from src.photos.parsing import OUTSIDE

FACE = torch.tensor([[[22.5, 20.5], [42.5, 20.5], [33.0, 37.0], [26.0, 51.0], [40.0, 51.0]]])
"""Eyes 20 pixels apart, in a face of 64; eyes in the middle of pixels, nose and mouth in their corners."""


@pytest.fixture(scope="module")
def rendered() -> RenderedFace:
    return render_face(0, 11, 1, 64)


def test_ellipses_counted_by_hand() -> None:
    """Whole axes: eyes 11 x 7, nose 10 x 12, mouth 18 x 10 pixels."""
    mask = landmark_mask(FACE, 64, 64)[0, 0].bool()
    assert mask[20].nonzero().flatten().tolist() == [*range(17, 28), *range(37, 48)]
    assert mask[:, 22].nonzero().flatten().tolist() == list(range(17, 24))
    assert mask[36, :].nonzero().flatten().tolist() == list(range(28, 38))
    assert mask[25:45, 32].nonzero().flatten().tolist() == list(range(31 - 25, 43 - 25))
    assert mask[50].nonzero().flatten().tolist() == list(range(24, 42))
    assert mask[45:, 32].nonzero().flatten().tolist() == list(range(46 - 45, 56 - 45))
    whole = math.pi / 4 * 400 * (2 * 0.55 * 0.35 + 0.5 * 0.6 + 0.9 * 0.5)
    assert mask.sum().item() == pytest.approx(whole, rel=0.05)


def turned(degrees: float) -> Tensor:
    around = FACE - 32
    angle = math.radians(degrees)
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return around @ turn.T + 32


@pytest.mark.parametrize("degrees", [0.0, 17.0, -40.0, 180.0])
def test_ellipses_turn_with_the_line_of_the_eyes(degrees: float) -> None:
    """Against a loop over pixels in the complex plane, in which the line of the eyes is turned to the real axis."""
    points = [complex(x, y) for x, y in turned(degrees)[0].tolist()]
    eyes = points[1] - points[0]
    middles = [*points[:3], (points[3] + points[4]) / 2]
    axes = [(0.55, 0.35), (0.55, 0.35), (0.5, 0.6), (0.9, 0.5)]
    expected = np.zeros((64, 64), bool)
    for row in range(64):
        for column in range(64):
            for middle, (a, b) in zip(middles, axes, strict=True):
                away = (complex(column + 0.5, row + 0.5) - middle) * cmath.exp(-1j * cmath.phase(eyes)) / abs(eyes)
                expected[row, column] |= (2 * away.real / a) ** 2 + (2 * away.imag / b) ** 2 <= 1
    found = landmark_mask(turned(degrees), 64, 64)[0, 0].bool().numpy()
    # Pixels on an edge may fall to either side of it by rounding.
    assert (found != expected).sum() <= 4
    assert expected.sum() > 340


def test_a_lying_face_has_the_transposed_mask() -> None:
    assert torch.equal(landmark_mask(FACE.flip(2), 64, 64), landmark_mask(FACE, 64, 64).mT)


def test_five_landmarks_of_sixty_eight(rendered: RenderedFace) -> None:
    points = torch.from_numpy(rendered.landmarks68)[None]
    np.testing.assert_allclose(five_landmarks(points)[0].numpy(), five_points(rendered.landmarks68), rtol=1e-6)
    exact = torch.from_numpy(rendered.landmarks5)[None]
    assert (landmark_mask(points, 64, 64) != landmark_mask(exact, 64, 64)).sum() <= 2


def test_other_numbers_of_landmarks_are_refused() -> None:
    with pytest.raises(ValueError, match="98 landmarks a face, expected 5 or 68"):
        landmark_mask(torch.zeros(1, 98, 2), 64, 64)


def test_a_face_without_landmarks_gets_the_templates_mask() -> None:
    lost = FACE.clone()
    lost[0, 3, 1] = torch.nan
    mask = landmark_mask(torch.cat([FACE, lost]), 64, 64)
    assert torch.equal(mask[:1], landmark_mask(FACE, 64, 64))
    assert torch.equal(mask[1:], landmark_mask(torch.tensor([FFHQ_TEMPLATE]) / 8, 64, 64))
    assert not torch.equal(mask[0], mask[1])


def test_rendered_parts_lie_where_the_landmarks_are(rendered: RenderedFace) -> None:
    mask = part_mask(torch.from_numpy(rendered.parts)[None])
    points = rendered.landmarks68
    for place in (*points[36:48].reshape(2, 6, 2).mean(1), points[30], points[48:60].mean(0), points[19], points[24]):
        assert mask[0, 0, int(place[1]), int(place[0])] == 1
    assert mask[0, 0, int(points[8, 1]) - 2, int(points[8, 0])] == 0, "the chin is no component"
    ellipses = softened(landmark_mask(torch.from_numpy(points)[None], 64, 64), 7.0, 5.0)
    features = (torch.from_numpy(rendered.parts) == 4) | (torch.from_numpy(rendered.parts) == 6)
    assert ellipses[0, 0][features].mean() > 0.8, "eyes and lips, exact against ellipses"


def test_parsed_classes_are_numbered_as_the_parser_of_photographs_numbers_them() -> None:
    names = {CELEBAMASK_CLASSES[number] for number in OUTSIDE}
    assert names == {"background", "hat", "necklace", "neck", "clothes"}
    mask = parsed_mask(torch.arange(19)[None, None])
    assert mask.flatten().nonzero().flatten().tolist() == [2, 3, 4, 5, 6, 7, 10, 11, 12]


@pytest.mark.parametrize("radius", [0, 0.875, 1.75, 7])
def test_dilation_against_distances(radius: int | float) -> None:
    mask = torch.zeros(1, 1, 24, 20)
    mask[0, 0, 3, 4] = mask[0, 0, 15, 12] = 1
    row, column = torch.meshgrid(torch.arange(24), torch.arange(20), indexing="ij")
    distance = torch.minimum(torch.hypot(row - 3.0, column - 4.0), torch.hypot(row - 15.0, column - 12.0))
    torch.testing.assert_close(dilated(mask, radius)[0, 0], (1 + radius - distance).clamp(0, 1))


def test_softened_masks_are_weights_that_grow_with_the_dilation() -> None:
    mask = landmark_mask(FACE, 64, 64)
    widened = [softened(mask, dilation, 5.0) for dilation in (0.0, 7.0, 16.0)]
    for soft in widened:
        assert soft.min() == 0
        assert 0.99 < soft.max() <= 1
        assert ((soft > 0.05) & (soft < 0.95)).any()
    assert (widened[1] >= widened[0] - 1e-6).all()
    assert (widened[2] >= widened[1] - 1e-6).all()
    assert torch.equal(softened(mask, 0, 0), mask)


def test_softening_is_the_same_at_any_size() -> None:
    """Of a large face made small, up to the size of a pixel."""
    small = softened(landmark_mask(FACE, 64, 64), 7.0, 5.0)
    large = softened(landmark_mask(FACE * 4, 256, 256), 7.0, 5.0)
    difference = (avg_pool2d(large, 4) - small).abs()
    assert difference.mean() < 0.01
    assert small.mean().item() == pytest.approx(large.mean().item(), rel=0.05)
