"""Intersection over union of masks with the components of a face."""

import math

import pytest
import torch

from src.faces import render_face
from src.faces.parts import Part
from src.guidance.mask_overlap import COMPONENTS, component_overlap, component_planes, intersection_over_union


def square(left: int, top: int, side: int, size: int = 8) -> torch.Tensor:
    mask = torch.zeros(1, 2, size, size)
    mask[:, :, top : top + side, left : left + side] = 1
    return mask


def test_two_squares() -> None:
    """4 x 4 each, shifted by one: 9 cells in both, 23 in either."""
    found = intersection_over_union(square(0, 0, 4), square(1, 1, 4))
    assert found.item() == pytest.approx(9 / 23)
    assert intersection_over_union(square(0, 0, 4), square(0, 0, 4)).item() == 1
    assert intersection_over_union(square(0, 0, 4), square(4, 4, 4)).item() == 0
    assert intersection_over_union(square(0, 0, 4) / 4, square(0, 0, 4)).item() == 0.25


def test_an_absent_component_has_no_overlap_to_speak_of() -> None:
    assert math.isnan(intersection_over_union(square(0, 0, 4), square(0, 0, 0)).item())
    assert intersection_over_union(square(0, 0, 0), square(0, 0, 4)).item() == 0


def test_planes_are_averaged_to_the_latent() -> None:
    """A plane of 16 x 16 whose 6 x 6 corner is set covers 3 x 3 cells of 8 x 8; a mask of 4 x 4 holds them."""
    plane = torch.zeros(1, 1, 16, 16)
    plane[:, :, :6, :6] = 1
    found = component_overlap(square(0, 0, 4), {"corner": plane})
    assert found["corner"].item() == pytest.approx(9 / 16)


def test_components_of_a_rendered_face_share_out_its_pixels() -> None:
    parts = torch.from_numpy(render_face(0, 11, 1, 64).parts)[None]
    planes = component_planes(parts)
    assert {part for own in COMPONENTS.values() for part in own} == set(Part)
    assert torch.equal(torch.stack([*planes.values()]).sum(0), torch.ones(1, 1, 64, 64))
    eyes = planes["eyes"].expand(1, 3, 64, 64)
    overlap = component_overlap(eyes, planes)
    assert overlap["eyes"].item() == 1
    assert overlap["nose"].item() == 0
