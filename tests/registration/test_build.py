"""Every registration method by its name, and from what a weights file says."""

import json
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from src.registration.build import (
    RegistrationSizes,
    build_registration,
    registration_from,
    registration_settings,
)
from src.registration.registered import LandmarkPair, Registration
from src.settings.codeformer_plus_plus import (
    FIELDS_OF_METHOD,
    LEARNED_METHODS,
    METHODS,
    SIZE_OF_METHOD,
    UNTRAINED_METHODS,
)
from src.settings.scale import ScaleSettings
from tests.registration.small_registrations import METHOD, OBJECTIVE, SIZES, small_registration


def _faces(batch: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.rand(2, batch, 3, 48, 64, generator=generator).mul(2).sub(1).unbind()


def _landmarks(batch: int) -> LandmarkPair:
    points = torch.tensor([[10.0, 10.0], [50.0, 12.0], [30.0, 25.0], [15.0, 40.0], [48.0, 38.0]])
    return LandmarkPair(points.repeat(batch, 1, 1), points.repeat(batch, 1, 1))


@pytest.mark.parametrize("kind", METHODS)
def test_every_method_starts_as_the_identity(kind: str) -> None:
    registration = small_registration(kind).eval()
    assert isinstance(registration, Registration)
    moving, fixed = _faces(batch=3)
    registered = registration(moving, fixed, _landmarks(batch=3))
    assert (registered.warped - moving).abs().max() < 1e-3
    if kind == "none":
        assert registered.field is None
    else:
        assert registered.field.shape == (3, 2, 48, 64)
        assert registered.field.abs().max() < 1e-3


@pytest.mark.parametrize("kind", LEARNED_METHODS)
@pytest.mark.parametrize("channels", ["rgb", "luma"])
def test_the_gradient_reaches_every_parameter(kind: str, channels: str) -> None:
    registration = small_registration(kind, channels=channels).train()
    for parameter in registration.parameters():
        # Layers that start at zero let nothing through to those below them.
        torch.nn.init.normal_(parameter, std=0.05)
    registered = registration(*_faces(batch=2))
    apart = sum((alignment.moved - alignment.fixed).square().sum() for alignment in registered.alignments)
    (apart + sum(registered.penalties.values())).backward()
    unreached = [name for name, p in registration.named_parameters() if p.grad is None or not bool(p.grad.any())]
    assert unreached == []


@pytest.mark.parametrize("kind", METHODS)
def test_the_plain_settings_rebuild_the_same_registration(kind: str) -> None:
    registration = small_registration(kind).eval()
    for parameter in registration.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    settings = registration_settings(replace(METHOD, kind=kind), OBJECTIVE, SIZES)
    # As weights files are read: JSON, a network without storage, the tensors assigned.
    with torch.device("meta"):
        rebuilt = registration_from(json.loads(json.dumps(settings))).eval()
    rebuilt.load_state_dict(registration.state_dict(), assign=True)
    moving, fixed = _faces(batch=1)
    pair = _landmarks(batch=1)
    pair = LandmarkPair(pair.moving + torch.tensor([3.0, -2.0]), pair.fixed)
    assert torch.equal(rebuilt(moving, fixed, pair).warped, registration(moving, fixed, pair).warped)


def test_methods_with_weights_are_the_learned_ones_and_have_a_size() -> None:
    assert set(FIELDS_OF_METHOD) == set(METHODS)
    assert set(SIZE_OF_METHOD) == set(LEARNED_METHODS)
    for kind in UNTRAINED_METHODS:
        assert list(small_registration(kind).parameters()) == []
    fields = RegistrationSizes.__annotations__
    assert set(SIZE_OF_METHOD.values()) == set(fields)
    assert {name: ScaleSettings.__annotations__[name] for name in fields} == fields


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(
        ValueError, match="unknown registration method 'optical', expected one of none, affine_landmarks"
    ):
        build_registration(replace(METHOD, kind="optical"), OBJECTIVE, SIZES)
