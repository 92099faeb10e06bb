"""Settings of registrations that compute in milliseconds."""

from dataclasses import dataclass, replace

import torch
from torch import nn

from src.registration.build import build_registration
from src.registration.velocity import ProbabilisticVelocityRegistration
from src.settings.codeformer_plus_plus import RegistrationMethod, RegistrationObjective
from src.settings.scale import (
    AffineRegistrationSize,
    DenseRegistrationSize,
    PyramidRegistrationSize,
    RecurrentRegistrationSize,
)

METHOD = RegistrationMethod(
    kind="dense",
    channels="rgb",
    half_resolution=False,
    control_points=4,
    ridge=0.0,
    squarings=7,
    updates=3,
    falloff=1.0,
)
OBJECTIVE = RegistrationObjective(
    similarity="ncc",
    window=9,
    signed=True,
    blur=[0.0, 0.0],
    regulariser="diffusion",
    regulariser_weight=0.1,
    edge_sharpness=10.0,
    folding=0.0,
    landmarks=0.0,
    inverse=0.0,
    decay=0.8,
    noise=0.01,
    precision=25.0,
)


@dataclass(kw_only=True)
class Sizes:
    """The part of a scale that registrations need."""

    dense_registration: DenseRegistrationSize
    affine_registration: AffineRegistrationSize
    pyramid_registration: PyramidRegistrationSize
    recurrent_registration: RecurrentRegistrationSize


SIZES = Sizes(
    dense_registration=DenseRegistrationSize(
        encoder_widths=[16, 32, 32], decoder_widths=[32, 32, 16], final_widths=[16, 16]
    ),
    affine_registration=AffineRegistrationSize(widths=[16, 32, 32, 32]),
    pyramid_registration=PyramidRegistrationSize(levels=4, width=16, blocks=1),
    recurrent_registration=RecurrentRegistrationSize(
        downscale=4, feature_width=32, hidden_width=32, levels=2, radius=3
    ),
)


def small_registration(kind: str, **changes: object) -> nn.Module:
    """A fresh registration, the same at every call, with reproducible noise where it needs some."""
    torch.manual_seed(0)
    registration = build_registration(replace(METHOD, kind=kind, **changes), OBJECTIVE, SIZES)
    if isinstance(registration, ProbabilisticVelocityRegistration):
        generator = torch.Generator().manual_seed(1)
        registration.noise = lambda shape: torch.randn(shape, generator=generator)
    return registration
