"""The loss of a learned registration."""

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from src.losses.field_regularity import bending_energy, diffusion, edge_aware
from src.losses.image_similarity import dissimilarity, gaussian_blur, local_ncc, luma, mean_square
from src.registration.jacobian import folding_penalty
from src.registration.objective import REGULARISING, landmark_distance, registration_loss, term_weight
from src.registration.registered import Alignment, LandmarkPair, Registered
from src.registration.warp import pixel_grid, warped
from src.settings.codeformer_plus_plus import REGULARISERS, SIMILARITIES, RegistrationObjective
from src.settings.errors import UserError

SIDE = 16


def objective(**changes: Any) -> RegistrationObjective:
    settings = RegistrationObjective(
        similarity="ncc",
        window=5,
        signed=True,
        blur=[0.0, 0.0],
        regulariser="diffusion",
        regulariser_weight=1.0,
        edge_sharpness=10.0,
        folding=0.0,
        landmarks=0.0,
        inverse=0.0,
        decay=0.8,
        noise=0.02,
        precision=25.0,
    )
    return dataclasses.replace(settings, **changes)


def faces() -> tuple[Tensor, Tensor]:
    moving, fixed = gaussian_blur(torch.rand(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)), 1.0).chunk(
        2
    )
    return 4 * moving - 2, 4 * fixed - 2


def rough_field() -> Tensor:
    return torch.randn(2, 2, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def dense(moving: Tensor, fixed: Tensor, field: Tensor, **parts: Any) -> Registered:
    moved = warped(moving, field)
    return Registered(moved, field, (Alignment(moved, fixed, field, 1.0),), {})._replace(**parts)


def colours(image: Tensor) -> list[Tensor]:
    """Features without a network."""
    return [torch.cat([image, image**2, torch.ones_like(image)], 1)]


def landmark_pair() -> LandmarkPair:
    moving, fixed = (SIDE - 1) * torch.rand(2, 2, 5, 2, generator=torch.Generator().manual_seed(2))
    return LandmarkPair(moving, fixed)


def test_by_default_it_is_similarity_and_smoothness() -> None:
    moving, fixed = faces()
    field = rough_field()
    registered = dense(moving, fixed, field)
    loss, terms = registration_loss(registered, moving, fixed, None, objective(regulariser_weight=0.3), progress=0.5)
    assert terms.keys() == {"dissimilarity", "irregularity"}
    similarity = local_ncc(luma(registered.warped), luma(fixed), 5, True).mean()
    torch.testing.assert_close(loss, -similarity + 0.3 * diffusion(field))


def test_every_term_has_its_weight() -> None:
    moving, fixed = faces()
    field, back = rough_field(), rough_field().flip(3)
    small_moving, small_fixed = (avg_pool2d(face, 2) for face in (moving, fixed))
    small = avg_pool2d(field, 2) / 2
    coarse = Alignment(warped(small_moving, small), small_fixed, small, 0.5)
    registered = dense(moving, fixed, field, inverse=back)
    registered = registered._replace(
        alignments=(*registered.alignments, coarse, coarse._replace(smooth=None, weight=0.25)),
        penalties={
            "likelihood": torch.tensor(3.0),
            "bending": torch.tensor(5.0),
            "affine_deviation": torch.tensor(7.0),
        },
    )
    settings = objective(similarity="mse", regulariser_weight=0.1, folding=0.2, landmarks=0.3, inverse=0.4)
    landmarks = landmark_pair()
    loss, terms = registration_loss(registered, moving, fixed, landmarks, settings, progress=0)
    unlike = mean_square(luma(registered.warped), luma(fixed)).mean()
    unlike_coarse = mean_square(luma(coarse.moved), luma(small_fixed)).mean()
    expected = {
        "dissimilarity": (1, unlike + 0.75 * unlike_coarse),
        "irregularity": (0.1, diffusion(field) + 0.5 * diffusion(small)),
        "folding": (0.2, folding_penalty(field)),
        "landmarks": (0.3, landmark_distance(field, landmarks)),
        "inverse": (0.4, mean_square(luma(warped(fixed, back)), luma(moving)).mean()),
        "likelihood": (1, torch.tensor(3.0)),
        "bending": (0.1, torch.tensor(5.0)),
        "affine_deviation": (0.1, torch.tensor(7.0)),
    }
    assert terms.keys() == expected.keys()
    for name, (weight, value) in expected.items():
        assert value > 0
        assert term_weight(name, settings) == weight
        torch.testing.assert_close(terms[name], value)
    torch.testing.assert_close(loss, sum(weight * value for weight, value in expected.values()))
    assert set(REGULARISING) < expected.keys()


def test_the_blur_shrinks_and_fits_the_level() -> None:
    """Sigma 3 falls to 1; at half the side it is half as wide."""
    moving, fixed = faces()
    settings = objective(similarity="mse", blur=[3.0, 1.0], regulariser_weight=0.0)
    for progress, sigma in ((0, 3), (0.5, 2), (1, 1)):
        _, terms = registration_loss(
            dense(moving, fixed, rough_field()), moving, fixed, None, settings, progress=progress
        )
        blurred = (gaussian_blur(luma(face), sigma) for face in (warped(moving, rough_field()), fixed))
        torch.testing.assert_close(terms["dissimilarity"], mean_square(*blurred).mean())
    halves = [avg_pool2d(face, 2) for face in (moving, fixed)]
    coarse = dense(moving, fixed, rough_field(), alignments=(Alignment(halves[0], halves[1], None, 1.0),))
    _, terms = registration_loss(coarse, moving, fixed, None, settings, progress=0)
    expected = mean_square(*(gaussian_blur(luma(half), 1.5) for half in halves)).mean()
    torch.testing.assert_close(terms["dissimilarity"], expected)


@pytest.mark.parametrize("name", REGULARISERS)
def test_the_regulariser_sees_the_smooth_field_beside_the_fixed_face(name: str) -> None:
    """The smooth field may have another grid than the faces, as a velocity has: the face is brought to it."""
    moving, fixed = faces()
    field = rough_field()
    velocity = avg_pool2d(field, 2)
    registered = dense(moving, fixed, field)
    registered = registered._replace(alignments=(registered.alignments[0]._replace(smooth=velocity),))
    _, terms = registration_loss(registered, moving, fixed, None, objective(regulariser=name), progress=0)
    expected = {
        "diffusion": diffusion(velocity),
        "total_variation": sum(velocity.diff(dim=axis).abs().mean() / 2 for axis in (2, 3)),
        "bending_energy": bending_energy(velocity),
        "edge_aware": edge_aware(velocity, avg_pool2d(luma(fixed), 2), 10.0),
    }
    torch.testing.assert_close(terms["irregularity"], expected[name])


@pytest.mark.parametrize("name", SIMILARITIES)
def test_the_gradient_leads_a_shift_home(name: str) -> None:
    """Every similarity, from a pixel beside the right place: the field that undoes the shift is downhill; no gradient goes
    to the faces."""
    wide = 4 * gaussian_blur(torch.rand(2, 3, SIDE, SIDE + 8, generator=torch.Generator().manual_seed(3)), 1.5) - 2
    fixed, moving = (wide[..., left : left + SIDE].clone().requires_grad_() for left in (4, 2))
    field = torch.zeros(2, 2, SIDE, SIDE)
    field[:, 0] = 1.0
    field.requires_grad_()
    settings = objective(similarity=name, inverse=1.0)
    registered = dense(moving.detach(), fixed, field, inverse=-field)
    loss, _ = registration_loss(registered, moving, fixed, None, settings, progress=0, features=colours)
    loss.backward()
    assert moving.grad is None
    assert fixed.grad is None
    assert field.grad is not None
    assert (field.grad.sum((2, 3))[:, 0] < 0).all()


@pytest.mark.parametrize("name", SIMILARITIES)
def test_flat_faces_give_finite_gradients(name: str) -> None:
    flat = torch.full((2, 3, SIDE, SIDE), 0.2)
    field = torch.zeros(2, 2, SIDE, SIDE, requires_grad=True)
    settings = objective(similarity=name, regulariser="edge_aware", folding=1.0, landmarks=1.0, blur=[2.0, 0.0])
    points = landmark_pair().fixed
    loss, _ = registration_loss(
        dense(flat, flat, field),
        flat,
        flat,
        LandmarkPair(points, points),
        settings,
        progress=0.3,
        features=lambda x: [x],
    )
    loss.backward()
    assert loss.isfinite()
    assert field.grad is not None
    assert field.grad.isfinite().all()


def test_the_perfect_field_leaves_no_distance_between_landmarks() -> None:
    """phi(p_F) = p_G - p_F: an affine field, at points between pixels; moved one pixel aside, that is the distance."""
    matrix = torch.tensor([[0.1, -0.2], [0.05, 0.1]])
    field = (torch.einsum("ij,jhw->ihw", matrix, pixel_grid(SIDE, SIDE, matrix)) + 0.5).expand(2, -1, -1, -1)
    fixed = landmark_pair().fixed
    pair = LandmarkPair(fixed + fixed @ matrix.T + 0.5, fixed)
    assert landmark_distance(field, pair).item() == pytest.approx(0, abs=1e-5)
    beside = LandmarkPair(pair.moving + torch.tensor([0.6, -0.8]), fixed)
    assert landmark_distance(field, beside).item() == pytest.approx(1, abs=1e-5)


def test_faces_without_landmarks_do_not_count() -> None:
    field = rough_field().requires_grad_()
    pair = landmark_pair()
    lost = LandmarkPair(pair.moving.clone(), pair.fixed.clone())
    lost.moving[1] = torch.nan
    one = landmark_distance(field[:1], LandmarkPair(pair.moving[:1], pair.fixed[:1]))
    torch.testing.assert_close(landmark_distance(field, lost), one)
    lost.fixed[0] = torch.nan
    nothing = landmark_distance(field, lost)
    (gradient,) = torch.autograd.grad(nothing, field)
    assert nothing == 0
    assert not gradient.any()


def test_missing_landmarks_are_refused_where_they_count() -> None:
    moving, fixed = faces()
    with pytest.raises(
        UserError, match=r"objective\.landmarks is 0\.5, but these faces have no landmarks: set it to 0"
    ):
        registration_loss(
            dense(moving, fixed, rough_field()), moving, fixed, None, objective(landmarks=0.5), progress=0
        )


def test_methods_with_their_own_terms_or_without_any() -> None:
    """The probabilistic velocity has penalties only, a closed form not even these, `none` not even a field."""
    moving, fixed = faces()
    settings = objective(folding=1.0, landmarks=1.0, inverse=1.0)
    still = Registered(moving, None, (), {})
    loss, terms = registration_loss(still, moving, fixed, None, settings, progress=0)
    assert (loss.item(), terms) == (0, {})
    own = {"likelihood": torch.tensor(2.0), "kl": torch.tensor(0.5)}
    loss, terms = registration_loss(still._replace(penalties=own), moving, fixed, None, settings, progress=0)
    assert (loss.item(), terms) == (2.5, own)


def test_half_precision_is_compared_in_float32() -> None:
    moving, fixed = (face.bfloat16() for face in faces())
    field = rough_field()
    settings = objective(blur=[1.0, 0.0], folding=1.0, inverse=1.0)
    results = []
    for kind in (torch.bfloat16, torch.float32):
        registered = dense(moving.to(kind), fixed.to(kind), field, inverse=field)
        loss, _ = registration_loss(registered, moving.to(kind), fixed.to(kind), None, settings, progress=0)
        results.append(loss)
    assert results[0].dtype == torch.float32
    torch.testing.assert_close(*results)


def test_features_of_grey_faces_are_compared() -> None:
    moving, fixed = faces()
    seen = []

    def features(image: Tensor) -> list[Tensor]:
        seen.append(image)
        return [image + 2]

    settings = objective(similarity="feature_cosine")
    registered = dense(moving, fixed, rough_field())
    registration_loss(registered, moving, fixed, None, settings, progress=0, features=features)
    expected = [(2 * luma(face) - 1).expand(-1, 3, -1, -1) for face in (registered.warped, fixed)]
    torch.testing.assert_close(seen, expected)
    with pytest.raises(ValueError, match="feature_cosine needs `features`"):
        registration_loss(registered, moving, fixed, None, settings, progress=0)
    assert dissimilarity("feature_cosine", 5, True, features)(*(luma(face) for face in faces())).shape == (2,)
