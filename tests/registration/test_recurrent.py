"""Registration by correlation volume and recurrent updates."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from src.losses.image_similarity import gaussian_blur
from src.registration.recurrent import FeatureEncoder, RecurrentRegistration, convex_upsampled
from src.registration.registered import Registered, Registration
from src.settings.scale import RecurrentRegistrationSize
from tests.registration.small_registrations import METHOD

SIZE = RecurrentRegistrationSize(downscale=4, feature_width=16, hidden_width=16, levels=2, radius=2)


def network(channels: str = "rgb") -> RecurrentRegistration:
    torch.manual_seed(0)
    return RecurrentRegistration(SIZE, replace(METHOD, kind="recurrent", channels=channels), decay=0.8)


def heads(registration: RecurrentRegistration) -> tuple[nn.Conv2d, nn.Conv2d]:
    """The layers that give the change of the field and its enlargement."""
    change, blend = registration.update.change[-1], registration.update.blend[-1]
    assert isinstance(change, nn.Conv2d)
    assert isinstance(blend, nn.Conv2d)
    return change, blend


def moved_off_identity(registration: RecurrentRegistration) -> RecurrentRegistration:
    for head in heads(registration):
        nn.init.normal_(head.weight, std=0.1)
    return registration


def texture(faces: int, side: int) -> Tensor:
    drawn = gaussian_blur(torch.randn(faces, 3, side, side, generator=torch.Generator().manual_seed(0)), 2.0)
    return drawn / drawn.abs().amax()


def mean_square(registered: Registered) -> Tensor:
    return sum((a.weight * (a.moved - a.fixed).square().mean() for a in registered.alignments), torch.zeros(()))


def test_a_constant_field_stays_constant_when_enlarged() -> None:
    constant = torch.tensor([1.5, -0.25]).view(1, 2, 1, 1)
    logits = torch.randn(2, 9 * 16, 3, 5, generator=torch.Generator().manual_seed(0))
    fine = convex_upsampled(constant.expand(2, 2, 3, 5), logits, 4)
    torch.testing.assert_close(fine, (4 * constant).expand(2, 2, 12, 20))


def test_enlargement_against_its_definition() -> None:
    """The fine pixel in row 1, column 3 of the cell (2, 1) with all its weight on the neighbour above and to the right."""
    field = torch.arange(24.0).view(1, 2, 4, 3)
    logits = torch.zeros(1, 9, 4, 4, 4, 3)
    logits[0, 2, 1, 3, 2, 1] = 100
    fine = convex_upsampled(field, logits.flatten(1, 3), 4)
    assert torch.equal(fine[0, :, 2 * 4 + 1, 1 * 4 + 3], 4 * field[0, :, 1, 2])
    torch.testing.assert_close(fine[0, :, 2 * 4 + 2, 1 * 4 + 3], 4 * field[0, :, 1:, :].mean((1, 2)))


def test_a_new_network_interpolates_almost_linearly() -> None:
    """A ramp of one cell a cell comes out as a ramp: fine pixels lie around the middle of their cell."""
    ramp = torch.arange(6.0).expand(1, 2, 6, 6)
    bias = heads(network())[1].bias
    assert bias is not None
    logits = bias[None, :, None, None].expand(1, -1, 6, 6)
    places = (torch.arange(24) + 0.5) / 4 - 0.5
    inner = slice(4, 20)
    assert (convex_upsampled(ramp, logits, 4)[0, 0, 8, inner] / 4 - places[inner]).abs().max() < 0.05


@pytest.mark.parametrize("channels", ["rgb", "luma"])
def test_starts_at_the_identity_with_one_alignment_an_update_in_training(channels: str) -> None:
    registration = network(channels)
    assert isinstance(registration, Registration)
    moving, fixed = texture(3, 32), texture(3, 32).flip(3)
    registered = registration(moving, fixed)
    assert torch.equal(registered.warped, moving)
    assert registered.field is not None
    assert not registered.field.any()
    assert [a.weight for a in registered.alignments] == pytest.approx([0.64, 0.8, 1.0])
    in_use = registration.eval()(moving, fixed)
    assert [a.weight for a in in_use.alignments] == [1.0]
    assert in_use.alignments[0].smooth is in_use.field


def test_training_and_use_end_at_the_same_field_and_faces_do_not_mix() -> None:
    registration = moved_off_identity(network())
    moving, fixed = texture(2, 32), texture(2, 32).flip(0)
    with torch.no_grad():
        trained = registration.train()(moving, fixed).field
        used = registration.eval()(moving, fixed).field
        alone = registration(moving[1:], fixed[1:]).field
    assert trained is not None
    assert used is not None
    assert alone is not None
    assert used.abs().max() > 0.1
    assert torch.equal(trained, used)
    torch.testing.assert_close(alone, used[1:], rtol=1e-4, atol=1e-5)


def test_gradient_reaches_every_parameter() -> None:
    registration = moved_off_identity(network())
    mean_square(registration(texture(1, 32), texture(1, 32).flip(3))).backward()
    still = [name for name, p in registration.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


def test_recovers_a_known_shift() -> None:
    """moving(x + (3, -2)) = fixed(x): the field points from the fixed face into the moving one."""
    scene = texture(1, 80)
    fixed, moving = scene[:, :, 8:72, 8:72], scene[:, :, 10:74, 5:69]
    registration = network()
    optimiser = torch.optim.Adam(registration.parameters(), 2e-3)
    for _ in range(80):
        optimiser.zero_grad()
        mean_square(registration(moving, fixed)).backward()
        optimiser.step()
    with torch.no_grad():
        field = registration.eval()(moving, fixed).field
    assert field is not None
    inside = field[0, :, 8:-8, 8:-8]
    error = (inside - torch.tensor([3.0, -2.0])[:, None, None]).norm(dim=0)
    assert error.mean() < 0.3


def test_impossible_sizes_and_sides_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 4, got an image of 32 x 34"):
        network()(torch.zeros(1, 3, 32, 34), torch.zeros(1, 3, 32, 34))
    for downscale in (1, 6):
        with pytest.raises(ValueError, match=f"downscale {downscale} must be a power of 2"):
            FeatureEncoder(3, 8, 8, downscale)
