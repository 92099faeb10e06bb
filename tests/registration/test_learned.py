"""What the learned registrations compute, against closed forms and other ways to the same result."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from src.losses.image_similarity import luma
from src.registration.field import composed
from src.registration.jacobian import folded_share
from src.registration.learned_affine import AffineRegistration, in_pixels
from src.registration.learned_thin_plate import ThinPlateRegistration, control_grid
from src.registration.pyramid import PyramidRegistration, doubled
from src.registration.velocity import ProbabilisticVelocityRegistration, degrees, flow, kl_to_smooth_prior
from src.registration.warp import pixel_grid, warped
from tests.registration.small_registrations import OBJECTIVE, SIZES, small_registration


def _faces(batch: int, height: int = 32, width: int = 48) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.rand(2, batch, 3, height, width, generator=generator).mul(2).sub(1).unbind()


def test_dense_field_is_the_predicted_one_or_the_enlarged_one() -> None:
    moving, fixed = _faces(2)
    for half in (False, True):
        registration = small_registration("dense", half_resolution=half)
        torch.nn.init.constant_(registration.unet.head.bias, 2.0)
        torch.nn.init.zeros_(registration.unet.head.weight)
        registered = registration(moving, fixed)
        (alignment,) = registered.alignments
        assert torch.equal(registered.warped, warped(moving, registered.field))
        assert torch.equal(alignment.moved, registered.warped)
        # 2 pixels of the grid of 16 x 24 are 2 * 47 / 23 and 2 * 31 / 15 pixels of that of 32 x 48.
        expected = torch.tensor([2 * 47 / 23, 2 * 31 / 15]) if half else torch.tensor([2.0, 2.0])
        torch.testing.assert_close(registered.field, expected[:, None, None].expand(2, 2, 32, 48))
        assert alignment.smooth.shape[-2:] == ((16, 24) if half else (32, 48))


def test_luma_methods_do_not_see_colour() -> None:
    moving, fixed = _faces(1)
    # Red for green at equal luma; then the moving face alone is grey.
    shift = torch.tensor([0.587, -0.299, 0.0])[:, None, None] * 0.1
    for channels, same in (("luma", True), ("rgb", False)):
        registration = small_registration("dense", channels=channels)
        torch.nn.init.normal_(registration.unet.head.weight)
        field, shifted = (registration(face, fixed).field for face in (moving, moving + shift))
        assert torch.allclose(field, shifted, atol=1e-4) == same


def test_velocity_gives_a_field_without_folds_and_its_inverse() -> None:
    x, y = pixel_grid(32, 32, torch.zeros(())) * (math.pi / 31)
    rise = x.sin() * y.sin()
    velocity = torch.stack([rise * (2 * y).cos(), rise * (2 * x + 1).sin()])[None] * torch.tensor(2.5)
    field, inverse = flow(velocity, 7, 64, 64)
    assert field.norm(dim=1).max() > 6
    assert folded_share(field).item() == folded_share(inverse).item() == 0.0
    for first, then in ((field, inverse), (inverse, field)):
        assert composed(first, then).norm(dim=1).max() < 0.1


@pytest.mark.parametrize(("height", "width"), [(4, 4), (3, 5), (1, 4)])
def test_divergence_equals_that_of_dense_matrices(height: int, width: int) -> None:
    precision, cells = 25.0, height * width
    places = pixel_grid(height, width, torch.zeros(())).flatten(1).T
    adjacency = ((places[:, None] - places).abs().sum(dim=2) == 1).double()
    degree = torch.diag(adjacency.sum(dim=1))
    generator = torch.Generator().manual_seed(5)
    mean, log_variance = torch.randn(2, 3, 2, height, width, generator=generator, dtype=torch.float32)
    expected = torch.zeros(3, dtype=torch.float64)
    for face in range(3):
        for direction in range(2):
            mu = mean[face, direction].flatten().double()
            sigma = torch.diag(log_variance[face, direction].flatten().double().exp())
            prior = precision * (degree - adjacency)
            trace = torch.trace(precision * degree @ sigma) - torch.logdet(sigma)
            expected[face] += 0.5 * (trace + mu @ prior @ mu)
            # The covariance is diagonal, so that the trace with D is that with the whole Laplacian.
            torch.testing.assert_close(torch.trace(prior @ sigma), torch.trace(precision * degree @ sigma))
    torch.testing.assert_close(kl_to_smooth_prior(mean, log_variance, precision).double(), expected)
    assert torch.equal(degrees(mean).double().flatten(), degree.diagonal())
    assert degrees(mean).numel() == cells


def test_probabilistic_velocity_draws_in_training_and_takes_the_mean_afterwards() -> None:
    registration = small_registration("probabilistic_velocity")
    assert isinstance(registration, ProbabilisticVelocityRegistration)
    moving, fixed = _faces(2)
    registration.noise = None
    with pytest.raises(RuntimeError, match="needs its attribute noise in training"):
        registration(moving, fixed)
    mean = registration.eval()(moving, fixed)
    registration.train().noise = torch.zeros
    assert torch.equal(registration(moving, fixed).field, mean.field)
    # A velocity that is the same everywhere is its own exponential: one deviation is e^(-10 / 2) of its pixels.
    registration.noise = torch.ones
    change = registration(moving, fixed).field - mean.field
    scale = torch.tensor([47 / 23, 31 / 15])[:, None, None]
    torch.testing.assert_close(change, (math.exp(-5) * scale).expand_as(change), atol=1e-5, rtol=0)


def test_penalties_of_the_probabilistic_velocity_are_the_evidence_bound_of_a_pixel() -> None:
    registration = small_registration("probabilistic_velocity").eval()
    moving, fixed = _faces(2)
    registered = registration(moving, fixed)
    squares = (luma(registered.warped) - luma(fixed)).square().sum(dim=(1, 2, 3))
    expected = (squares / (2 * OBJECTIVE.noise**2)).mean() / (32 * 48)
    torch.testing.assert_close(registered.penalties["likelihood"], expected)
    # mu is almost 0 and log Sigma -10 all over the grid of 16 x 24 cells, with two directions each.
    links = 16 * 23 + 15 * 24
    divergence = 0.5 * 2 * (OBJECTIVE.precision * 2 * links * math.exp(-10) + 10 * 16 * 24)
    assert registered.penalties["kl"].item() == pytest.approx(divergence / (32 * 48), rel=1e-4)
    assert registered.alignments == ()


def test_affine_matrix_is_that_of_the_spatial_transformer() -> None:
    theta = torch.tensor([[[0.9, 0.2, 0.3], [-0.1, 1.2, -0.4]], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    height, width = 20, 36
    grid = F.affine_grid(theta, [2, 1, height, width], align_corners=True)
    expected = (grid + 1) / 2 * torch.tensor([width - 1, height - 1])
    places = torch.cat([pixel_grid(height, width, theta), torch.ones(1, height, width)]).flatten(1)
    found = (in_pixels(theta, height, width) @ places).unflatten(2, (height, width))
    torch.testing.assert_close(found, expected.permute(0, 3, 1, 2), atol=1e-4, rtol=0)


def test_affine_penalty_is_the_distance_from_the_identity_at_any_side() -> None:
    registration = AffineRegistration(SIZES.affine_registration, channels="rgb")
    moving, fixed = _faces(3)
    assert registration(moving, fixed).penalties["affine_deviation"].item() == 0.0
    # A shift by half of the width alone.
    registration.regressor.head.bias.data[2] = 1.0
    for height, width in ((32, 48), (64, 32)):
        registered = registration(*_faces(3, height, width))
        assert registered.penalties["affine_deviation"].item() == pytest.approx(1.0)
        shift = torch.tensor([(width - 1) / 2, 0.0])[:, None, None]
        torch.testing.assert_close(registered.field, shift.expand(3, 2, height, width), atol=1e-4, rtol=0)


def test_thin_plate_passes_through_the_regressed_displacements() -> None:
    registration = ThinPlateRegistration(SIZES.affine_registration, channels="rgb", control_points=3)
    generator = torch.Generator().manual_seed(4)
    offsets = 0.2 * torch.randn(9, 2, generator=generator)
    registration.regressor.head.bias.data = offsets.flatten()
    registered = registration(*_faces(2, 32, 48))
    control = control_grid(3, 32, 48)
    assert control.tolist()[:4] == [[0.0, 0.0], [23.5, 0.0], [47.0, 0.0], [0.0, 15.5]]
    corners = [0, 2, 6, 8]
    columns, rows = control[corners].long().unbind(1)
    found = registered.field[0][:, rows, columns].T
    torch.testing.assert_close(found, offsets[corners] * torch.tensor([47 / 2, 31 / 2]), atol=1e-3, rtol=0)
    assert registered.penalties["bending"].item() > 0.1


def test_thin_plate_does_not_bend_for_an_affine_map_and_learns_after_inference() -> None:
    registration = ThinPlateRegistration(SIZES.affine_registration, channels="luma", control_points=4)
    control = control_grid(4, 3, 3) - 1
    offsets = control @ torch.tensor([[0.1, -0.2], [0.05, 0.1]]) + torch.tensor([0.1, 0.0])
    registration.regressor.head.bias.data = offsets.flatten()
    moving, fixed = _faces(1, 32, 48)
    with torch.inference_mode():
        field = registration(moving, fixed).field
    # In units of half the sides less one, (-1, -1) to (1, 1), the same affine map everywhere.
    half = torch.tensor([47 / 2, 31 / 2])[:, None, None]
    x, y = pixel_grid(32, 48, field) / half - 1
    expected = torch.stack([0.1 * x + 0.05 * y + 0.1, -0.2 * x + 0.1 * y]) * half
    torch.testing.assert_close(field[0], expected, atol=1e-3, rtol=0)
    registered = registration(moving, fixed)
    assert registered.penalties["bending"].abs() < 1e-6
    registered.warped.square().sum().backward()
    assert bool(registration.regressor.head.weight.grad.any())
    with pytest.raises(ValueError, match="control_points 1 must be at least 2"):
        ThinPlateRegistration(SIZES.affine_registration, channels="luma", control_points=1)


def test_every_level_of_the_pyramid_adds_to_the_doubled_field_of_the_one_below() -> None:
    registration = small_registration("pyramid")
    assert isinstance(registration, PyramidRegistration)
    added = [torch.tensor([0.1, 0.2]), torch.tensor([-0.3, 0.1]), torch.tensor([0.2, 0.0]), torch.tensor([0.5, -0.4])]
    for network, bias in zip(registration.levels, added, strict=True):
        torch.nn.init.zeros_(network.head.weight)
        network.head.bias.data = bias
    moving, fixed = _faces(3)
    registered = registration(moving, fixed)
    assert [alignment.weight for alignment in registered.alignments] == [1.0, 0.5, 0.25, 0.125]
    for level, alignment in enumerate(registered.alignments):
        field = sum(2.0 ** (below - level) * added[below] for below in range(level, 4))
        side = (32 >> level, 48 >> level)
        torch.testing.assert_close(alignment.smooth, field[:, None, None].expand(3, 2, *side))
        torch.testing.assert_close(alignment.fixed, F.interpolate(fixed, side, mode="area"))
        expected = warped(F.interpolate(moving, side, mode="area"), alignment.smooth)
        torch.testing.assert_close(alignment.moved, expected)
    assert torch.equal(registered.field, registered.alignments[0].smooth)
    assert torch.equal(registered.warped, registered.alignments[0].moved)


def test_doubling_a_field_keeps_to_the_averaged_pixels() -> None:
    """A stretch about the corner of the image is the same one in the pixels of both levels."""
    coarse = 0.1 * (pixel_grid(8, 12, torch.zeros(())) + 0.5)[None]
    fine = 0.1 * (pixel_grid(16, 24, torch.zeros(())) + 0.5)[None]
    torch.testing.assert_close(doubled(coarse)[..., 1:-1, 1:-1], fine[..., 1:-1, 1:-1])


@pytest.mark.parametrize("kind", ["dense", "velocity", "probabilistic_velocity", "pyramid", "affine", "thin_plate"])
def test_sides_that_do_not_divide_are_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="expected sides that are multiples of"):
        small_registration(kind).eval()(*_faces(1, 32, 44 if kind != "pyramid" else 36))
