"""Control masks: their areas, shapes and what they depend on."""

import numpy as np
import pytest
import torch

from src.degradation.keyed import SampleKey
from src.faces import render_face
from src.guidance.control_mask import control_mask, edges_mask, gradient_magnitude, mask_area, random_mask
from src.settings.clr_face import MASKS

SOFT = torch.rand(3, 4, 6, 5, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 0.3, 0.0]).view(
    3, 1, 1, 1
)
HARD = (SOFT > 0.2).float()
KEYS = [SampleKey(7, 0, index) for index in (10, 11, 12)]
FACE = torch.linspace(-1, 1, 3 * 3 * 24 * 20).sin().view(3, 3, 24, 20)


def test_every_control_has_the_learned_masks_shape_and_the_area_that_it_promises() -> None:
    components = (FACE[:, :1] > 0).float()
    for name in set(MASKS) - {"learned", "learned_hard"}:
        for like in (SOFT, HARD):
            mask = control_mask(name, like, keys=KEYS, components=components, face=FACE)
            assert (mask.shape, mask.dtype) == (like.shape, torch.float32)
            assert mask.min() >= 0
            assert mask.max() <= 1
            if name in ("random", "edges"):
                assert mask.unique().tolist() == [0.0, 1.0]
                assert mask.sum((1, 2, 3)).tolist() == mask_area(like).tolist()
    assert mask_area(HARD).tolist() == HARD.sum((1, 2, 3)).tolist()
    assert control_mask("ones", SOFT).mean() == 1
    assert control_mask("zeros", SOFT).sum() == 0


def test_what_cannot_be_made_is_refused() -> None:
    for name in ("random", "components", "edges", "learned"):
        with pytest.raises(ValueError, match=f"'{name}' is no control mask .* or lacks what it is made of"):
            control_mask(name, SOFT)


def test_random_masks_depend_on_the_faces_key_alone() -> None:
    half = torch.full((3, 4, 6, 5), 0.5)
    together = random_mask(half, KEYS)
    for place in (2, 0, 1):
        assert torch.equal(random_mask(half[:1], [KEYS[place]])[0], together[place])
    assert not torch.equal(together[0], together[1])
    other_seed = random_mask(half, [SampleKey(8, 0, key.index) for key in KEYS])
    assert 0.3 < (other_seed != together).float().mean() < 0.7
    assert (together - together[:, :1]).abs().max() == 1, "channels are drawn one by one"
    assert (random_mask(half / 2, KEYS) <= together).all(), "a smaller area lies within a larger one"


def test_random_masks_lie_everywhere() -> None:
    keys = [SampleKey(0, 0, index) for index in range(400)]
    share = random_mask(torch.full((400, 2, 3, 3), 0.25), keys).mean(0)
    # 0.22 to 0.28 is 3.2 standard deviations of a mean of 400; the area of 4.5 ones rounds to 4 of 18.
    assert (share - 4 / 18).abs().max() < 0.07


def test_components_are_area_averages_in_every_channel() -> None:
    plane = torch.rand(3, 1, 24, 20, generator=torch.Generator().manual_seed(1))
    mask = control_mask("components", SOFT, components=plane)
    expected = plane.numpy().reshape(3, 6, 4, 5, 4).mean((2, 4))
    for channel in range(4):
        np.testing.assert_allclose(mask[:, channel].numpy(), expected, rtol=1e-5)


def test_sobel_of_a_ramp_is_its_slope() -> None:
    """Levels rise by 0.01 along x and 0.02 along y; the border is flat outside, so only inner pixels know it all."""
    row, column = torch.meshgrid(torch.arange(12.0), torch.arange(10.0), indexing="ij")
    face = (2 * (0.01 * column + 0.02 * row) - 1).expand(1, 3, 12, 10)
    inner = gradient_magnitude(face)[0, 0, 1:-1, 1:-1]
    torch.testing.assert_close(inner, torch.full_like(inner, float(np.hypot(0.01, 0.02))))


def test_edges_are_where_a_face_has_a_step() -> None:
    """A bright half beside a dark one, 8 pixels a cell: the two columns of cells at the step, in all channels."""
    face = torch.full((1, 3, 48, 48), -1.0)
    face[..., 24:] = 1.0
    like = torch.zeros(1, 3, 6, 6)
    like[:, :, :4, :3] = 1
    mask = edges_mask(like, face)
    assert mask[0, 1].nonzero()[:, 1].unique().tolist() == [2, 3]
    assert torch.equal(mask[:, :1].expand_as(mask), mask)
    assert int(mask.sum()) == 36


def test_an_area_that_the_channels_do_not_divide_is_met_exactly() -> None:
    like = torch.zeros(1, 3, 6, 6)
    like[0, 0, 0] = 1
    like[0, 1, 0, 0] = 1
    face = torch.from_numpy(render_face(0, 11, 1, 48).image).permute(2, 0, 1)[None].float() / 127.5 - 1
    mask = edges_mask(like, face)
    assert sorted(mask.sum(1).flatten().tolist(), reverse=True)[:4] == [3, 3, 1, 0]
    strength = torch.nn.functional.avg_pool2d(gradient_magnitude(face), 8)[0, 0]
    chosen = mask[0, 0] == 1
    assert strength[chosen].min() >= strength[~chosen].max()
