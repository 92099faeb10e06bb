"""Every registration method by its name, from settings or from what a weights file says (codeformer_plus_plus.md 4)."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, runtime_checkable

from torch import nn

from src.registration.closed_form import LandmarkAffine, LandmarkMovingLeastSquares, LandmarkThinPlate, NoRegistration
from src.registration.dense import DenseRegistration
from src.registration.learned_affine import AffineRegistration
from src.registration.learned_thin_plate import ThinPlateRegistration
from src.registration.pyramid import PyramidRegistration
from src.registration.recurrent import RecurrentRegistration
from src.registration.velocity import ProbabilisticVelocityRegistration, VelocityRegistration
from src.settings.codeformer_plus_plus import METHODS, SIZE_OF_METHOD, RegistrationMethod, RegistrationObjective
from src.settings.scale import (
    AffineRegistrationSize,
    DenseRegistrationSize,
    PyramidRegistrationSize,
    RecurrentRegistrationSize,
)

OBJECTIVE_TERMS = ("decay", "noise", "precision")
"""Fields of RegistrationObjective that methods need for weights and penalties of their own."""


@runtime_checkable
class RegistrationSizes(Protocol):
    """The part of ScaleSettings that sizes registrations."""

    dense_registration: DenseRegistrationSize
    affine_registration: AffineRegistrationSize
    pyramid_registration: PyramidRegistrationSize
    recurrent_registration: RecurrentRegistrationSize


class _Description(NamedTuple):
    method: RegistrationMethod
    size: Mapping[str, Any]
    terms: Mapping[str, Any]


_BUILDERS: Mapping[str, Callable[[_Description], nn.Module]] = MappingProxyType(
    {
        "none": lambda _: NoRegistration(),
        "affine_landmarks": lambda _: LandmarkAffine(),
        "thin_plate_landmarks": lambda it: LandmarkThinPlate(it.method.ridge),
        "moving_least_squares": lambda it: LandmarkMovingLeastSquares(it.method.falloff),
        "affine": lambda it: AffineRegistration(AffineRegistrationSize(**it.size), channels=it.method.channels),
        "thin_plate": lambda it: ThinPlateRegistration(
            AffineRegistrationSize(**it.size), channels=it.method.channels, control_points=it.method.control_points
        ),
        "dense": lambda it: DenseRegistration(
            DenseRegistrationSize(**it.size), channels=it.method.channels, half_resolution=it.method.half_resolution
        ),
        "velocity": lambda it: VelocityRegistration(
            DenseRegistrationSize(**it.size), channels=it.method.channels, squarings=it.method.squarings
        ),
        "probabilistic_velocity": lambda it: ProbabilisticVelocityRegistration(
            DenseRegistrationSize(**it.size),
            channels=it.method.channels,
            squarings=it.method.squarings,
            noise_deviation=it.terms["noise"],
            precision=it.terms["precision"],
        ),
        "pyramid": lambda it: PyramidRegistration(PyramidRegistrationSize(**it.size), channels=it.method.channels),
        "recurrent": lambda it: RecurrentRegistration(
            RecurrentRegistrationSize(**it.size), it.method, it.terms["decay"]
        ),
    }
)


def build_registration(
    method: RegistrationMethod, objective: RegistrationObjective, sizes: RegistrationSizes
) -> nn.Module:
    """A fresh registration, which obeys `src.registration.registered.Registration`. ValueError if its name is unknown."""
    return registration_from(registration_settings(method, objective, sizes))


def registration_settings(
    method: RegistrationMethod, objective: RegistrationObjective, sizes: RegistrationSizes
) -> dict[str, Any]:
    """What `registration_from` rebuilds the network from, as numbers, strings, lists and dictionaries.

    {"method": fields of RegistrationMethod, "size": fields of the method's size or {}, "objective": `OBJECTIVE_TERMS`}.
    ValueError if the method's name is unknown.
    """
    name = SIZE_OF_METHOD.get(_known(method.kind))
    return {
        "method": asdict(method),
        "size": {} if name is None else asdict(getattr(sizes, name)),
        "objective": {term: getattr(objective, term) for term in OBJECTIVE_TERMS},
    }


def registration_from(settings: Mapping[str, Any]) -> nn.Module:
    """The registration that `registration_settings` describes, with fresh weights.

    KeyError, TypeError or ValueError if the settings describe none.
    """
    method = RegistrationMethod(**settings["method"])
    return _BUILDERS[_known(method.kind)](_Description(method, settings["size"], settings["objective"]))


def _known(kind: str) -> str:
    if kind not in METHODS:
        raise ValueError(f"unknown registration method {kind!r}, expected one of {', '.join(METHODS)}")
    return kind
