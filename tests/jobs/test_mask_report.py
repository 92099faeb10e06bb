"""What is said of a latent mask: areas and overlaps in closed form, and a picture with a row a face and moment."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from src.faces.parts import Part
from src.jobs.mask_report import MOMENTS, mask_report, write_mask_sheet
from src.leaderboard.diagnostics import GUIDANCE, MASK, diagnostic
from src.networks.latent_mask import AdaptiveLatentMask, GlobalLatentMask
from src.settings.scale import LatentMaskSize

SIDE, FACE_SIDE, CHANNELS = 16, 64, 3
CONDITIONS = torch.randn(4, CHANNELS, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
DECIDED = 20.0
"""W of a gate that is open: its m is 1 to eight digits."""


def global_mask(is_open: Tensor) -> GlobalLatentMask:
    """m is 1 where `is_open`, else 0."""
    mask = GlobalLatentMask(CHANNELS, SIDE, temperature=1.0, initial=0.5)
    with torch.no_grad():
        mask.weight.copy_(torch.where(is_open, DECIDED, -DECIDED))
    return mask


def adaptive_mask() -> AdaptiveLatentMask:
    """A mask that depends on face and time."""
    mask = AdaptiveLatentMask(LatentMaskSize(width=8, layers=3), CHANNELS, temperature=1.0, initial=0.3)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in mask.parameters():
            weight.copy_(0.5 * torch.randn(weight.shape, generator=generator))
    return mask


def part_maps() -> np.ndarray:
    """An eye in the upper left quarter, a nose in the lower half, else skin."""
    parts = np.full((4, FACE_SIDE, FACE_SIDE), Part.SKIN, np.uint8)
    parts[:, : FACE_SIDE // 2, : FACE_SIDE // 2] = Part.EYE
    parts[:, FACE_SIDE // 2 :] = Part.NOSE
    return parts


def upper_left() -> Tensor:
    is_open = torch.zeros(CHANNELS, SIDE, SIDE, dtype=torch.bool)
    is_open[:, : SIDE // 2, : SIDE // 2] = True
    return is_open


def test_areas_and_overlaps_of_a_known_mask() -> None:
    found = mask_report(global_mask(upper_left()), CONDITIONS, part_maps()).diagnostics
    assert (found["mask_area"], found["mask_area_hard"]) == pytest.approx((0.25, 0.25))
    assert (found["mask_iou_eyes"], found["mask_iou_nose"], found["mask_iou_skin"]) == (1, 0, 0)
    assert "mask_iou_hair" not in found  # no face shows any
    assert found["mask_variation"] == 0


def test_a_mask_of_one_channel_overlaps_a_third_and_both_areas_are_told() -> None:
    is_open = upper_left()
    is_open[1:] = False
    mask = global_mask(is_open)
    with torch.no_grad():
        mask.weight[2] = -1.0
    found = mask_report(mask, CONDITIONS, part_maps()).diagnostics
    weak = torch.sigmoid(torch.tensor(-1.0)).item()
    assert [found[f"mask_area_channel_{number}"] for number in (1, 2, 3)] == pytest.approx([0.25, 0, weak], abs=1e-6)
    assert found["mask_area"] == pytest.approx((0.25 + weak) / 3)
    assert found["mask_area_hard"] == pytest.approx(0.25 / 3)
    assert found["mask_iou_eyes"] == pytest.approx(1 / 3)


def test_an_adaptive_mask_is_averaged_over_faces_and_moments() -> None:
    mask = adaptive_mask()
    found = mask_report(mask, CONDITIONS, None).diagnostics
    with torch.inference_mode():
        masks = torch.stack([mask.soft(CONDITIONS, torch.full((4,), moment)) for moment in MOMENTS])
    assert found["mask_area"] == pytest.approx(masks.mean().item())
    assert found["mask_area_hard"] == pytest.approx((masks > 0.5).float().mean().item())
    assert found["mask_variation"] == pytest.approx(masks.numpy().reshape(12, -1).std(0).mean(), rel=1e-4)
    assert not any(name.startswith("mask_iou") for name in found)


def test_every_number_has_a_meaning() -> None:
    every = np.arange(13, dtype=np.uint8).repeat(FACE_SIDE * FACE_SIDE // 13 + 1)[: FACE_SIDE * FACE_SIDE]
    parts = every.reshape(1, FACE_SIDE, FACE_SIDE).repeat(4, 0)
    found = mask_report(adaptive_mask(), CONDITIONS, parts).diagnostics
    assert len([name for name in found if name.startswith("mask_iou")]) == 8
    assert {diagnostic(name).section for name in found} == {MASK}
    guidance = ("guided_share", "clipped_share", "not_finite_share")
    assert {diagnostic(name).section for name in guidance} == {GUIDANCE}


def test_the_sheet_has_one_row_of_a_global_mask_and_one_a_face_and_moment_of_an_adaptive_one(tmp_path: Path) -> None:
    faces = torch.zeros(4, 3, FACE_SIDE, FACE_SIDE)
    one = mask_report(global_mask(upper_left()), CONDITIONS, None, faces)
    many = mask_report(adaptive_mask(), CONDITIONS, None, faces)
    assert 128 < one.sheet.shape[0] < 2 * 128
    assert 9 * 128 < many.sheet.shape[0] < 10 * 128
    write_mask_sheet(tmp_path / "mask.png", many)
    with Image.open(tmp_path / "mask.png") as picture:
        assert np.array_equal(np.asarray(picture), many.sheet)


def test_the_sheet_shows_open_gates_in_the_colour_of_one_where_they_are() -> None:
    """Viridis runs from dark violet to yellow; the first picture is channel 1."""
    with_faces = mask_report(global_mask(upper_left()), CONDITIONS, None, torch.zeros(4, 3, FACE_SIDE, FACE_SIDE)).sheet
    sheet = mask_report(global_mask(upper_left()), CONDITIONS, None).sheet
    yellow, violet = ((sheet == colour).all(-1) for colour in ((253, 231, 37), (68, 1, 84)))
    # Three channels and their mean, a quarter of each open; the scale holds both colours once more.
    assert 4 * 64 * 64 <= yellow.sum() <= 4 * 64 * 64 + 400
    assert 4 * 3 * 64 * 64 <= violet.sum() <= 4 * 3 * 64 * 64 + 400
    assert with_faces.shape[1] > sheet.shape[1]
