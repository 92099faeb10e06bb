"""Known warps of textured faces are found again, to less than half a pixel (codeformer_plus_plus.md 10, item 2)."""

import math
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from src.faces import Part, render_face
from src.registration.affine import affine_field
from src.registration.field import at_points, composed
from src.registration.jacobian import folded_share
from src.registration.learned_thin_plate import control_grid
from src.registration.objective import registration_loss
from src.registration.registered import LandmarkPair, Registered
from src.registration.thin_plate import thin_plate_field
from src.registration.warp import pixel_grid, warped
from tests.registration.small_registrations import OBJECTIVE, small_registration

SIDE = 64
PERSONS = 2


class _Faces(NamedTuple):
    """Rendered faces and what a known field makes of them."""

    moving: Tensor
    fixed: Tensor
    truth: Tensor
    face: Tensor
    """Whether a pixel of the fixed face shows the face."""
    landmarks: LandmarkPair


@pytest.fixture(scope="module")
def rendered() -> tuple[Tensor, Tensor, Tensor]:
    """Faces [-1, 1], whether a pixel is part of the face, and exact landmarks as array indices."""
    renders = [render_face(7, person, 0, SIDE) for person in range(PERSONS)]
    images = torch.from_numpy(np.stack([render.image for render in renders])).permute(0, 3, 1, 2) / 127.5 - 1
    parts = torch.from_numpy(np.stack([render.parts for render in renders]))[:, None]
    landmarks = torch.from_numpy(np.stack([render.landmarks68 for render in renders])) - 0.5
    return images, ((parts >= Part.SKIN) & (parts <= Part.BEARD)).float(), landmarks


def _moved(rendered: tuple[Tensor, Tensor, Tensor], truth: Tensor) -> _Faces:
    images, face, moving = rendered
    truth = truth.expand(PERSONS, -1, -1, -1).contiguous()
    fixed = moving
    for _ in range(50):
        # The landmark of the fixed face is where the field points at that of the moving one.
        fixed = moving - at_points(truth, fixed)
    return _Faces(images, warped(images, truth), truth, warped(face, truth)[:, 0] > 0.99, LandmarkPair(moving, fixed))


def _smooth_field() -> Tensor:
    """Swirls of at most 6 pixels, still at the border."""
    x, y = pixel_grid(SIDE, SIDE, torch.zeros(()))
    rise = (math.pi * x / (SIDE - 1)).sin() * (math.pi * y / (SIDE - 1)).sin()
    field = rise * torch.stack([(2 * math.pi * y / 64 + 0.6).sin(), (2 * math.pi * x / 80 + 1.0).cos()])
    return (6 * field / field.norm(dim=0).max())[None]


def _learned(kind: str, faces: _Faces, steps: int, rate: float) -> Registered:
    """Trained on these faces alone."""
    registration = small_registration(kind, channels="luma")
    optimiser = torch.optim.Adam(registration.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        registered = registration(faces.moving, faces.fixed)
        loss, _ = registration_loss(registered, faces.moving, faces.fixed, None, OBJECTIVE, progress=0.0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        return registration.eval()(faces.moving, faces.fixed)


def _field_error(field: Tensor, faces: _Faces) -> float:
    return (field - faces.truth).norm(dim=1)[faces.face].mean().item()


def _landmark_error(field: Tensor, landmarks: LandmarkPair) -> float:
    found = landmarks.fixed + at_points(field, landmarks.fixed)
    return (found - landmarks.moving).norm(dim=2).mean().item()


@pytest.mark.parametrize(
    ("kind", "steps", "rate"),
    [("dense", 220, 5e-3), ("velocity", 180, 5e-3), ("probabilistic_velocity", 200, 5e-3), ("pyramid", 80, 5e-3)],
)
def test_a_smooth_warp_of_six_pixels_is_recovered(
    rendered: tuple[Tensor, Tensor, Tensor], kind: str, steps: int, rate: float
) -> None:
    faces = _moved(rendered, _smooth_field())
    still = torch.zeros_like(faces.truth)
    assert faces.truth.norm(dim=1).max().item() == pytest.approx(6.0)
    assert min(_field_error(still, faces), _landmark_error(still, faces.landmarks)) > 2.5
    assert _landmark_error(faces.truth, faces.landmarks) < 1e-3
    registered = _learned(kind, faces, steps, rate)
    assert _field_error(registered.field, faces) < 0.5
    assert _landmark_error(registered.field, faces.landmarks) < 0.5
    if registered.inverse is not None:
        assert not bool(folded_share(registered.field).any())
        assert composed(registered.field, registered.inverse).norm(dim=1)[:, 4:-4, 4:-4].max() < 0.1


def test_an_affine_map_is_recovered(rendered: tuple[Tensor, Tensor, Tensor]) -> None:
    angle, middle = 0.12, torch.tensor([31.5, 31.5])
    linear = 1.05 * torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    shift = middle - linear @ middle + torch.tensor([2.5, -1.5])
    faces = _moved(rendered, affine_field(torch.cat([linear, shift[:, None]], dim=1)[None], SIDE, SIDE))
    registered = _learned("affine", faces, steps=100, rate=2e-3)
    assert _field_error(torch.zeros_like(faces.truth), faces) > 2.5
    assert _field_error(registered.field, faces) < 0.5
    assert _landmark_error(registered.field, faces.landmarks) < 0.5


def test_a_thin_plate_spline_is_recovered(rendered: tuple[Tensor, Tensor, Tensor]) -> None:
    generator = torch.Generator().manual_seed(2)
    offsets = 4.0 * torch.randn(1, 16, 2, generator=generator)
    faces = _moved(rendered, thin_plate_field(control_grid(4, SIDE, SIDE)[None], offsets, 0.0, SIDE, SIDE))
    registered = _learned("thin_plate", faces, steps=100, rate=2e-3)
    assert _field_error(torch.zeros_like(faces.truth), faces) > 2.0
    assert _field_error(registered.field, faces) < 0.5
    assert _landmark_error(registered.field, faces.landmarks) < 0.5
