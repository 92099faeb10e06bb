"""Rules of the knobs that restorers share; imports no torch."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from src.config.usual_guidance import usual_guidance
from src.settings.clr_face import GuidanceSettings
from src.settings.difface import SamplingSettings
from src.settings.errors import UserError

Knobs = dict[str, str | float | int | bool]
"""The settings of a method, as records show them."""
NETWORKS: dict[str, tuple[str, ...]] = {
    "codeformer": ("codeformer",),
    "vqgan": ("vqgan",),
    "codeformer_colorization": ("codeformer_colorization",),
    "codeformer_inpainting": ("codeformer_inpainting",),
    "difface": ("diffusion_prior", "restoration_backbone"),
    "difface_inpainting": ("diffusion_prior", "restoration_backbone"),
    "difface_backbone": ("restoration_backbone",),
    "codeformer_plus_plus": ("texture_fusion",),
    "clr_face": ("latent_score",),
    "clr_face_encoder": ("latent_encoder",),
    "identity_recovery": ("identity_recovery",),
}
"""Networks of every learned restorer; `checkpoint` is the first one's, `sampling.backbone` the second one's. The other
networks of codeformer_plus_plus and of CLR-Face's restorers lie beside the first one."""
LEARNED = tuple(NETWORKS)
"""Those that need a checkpoint."""
RESTORERS = (*LEARNED, "bicubic", "identity")
DIFFACE = ("difface", "difface_inpainting")
"""Those that sample as DifFace does."""
GUIDED = ("clr_face",)
"""Those whose sampler a recogniser may guide."""
DRAWING: tuple[str, ...] = (*DIFFACE, *GUIDED)
"""Those that sample, so that their result depends on a seed."""
PUBLISHED_FIDELITY = {"codeformer": 0.5, "codeformer_colorization": 0.0, "codeformer_inpainting": 1.0}
"""Defaults of the published scripts (codeformer.md 4)."""


def checked_fidelity(fidelity: float) -> float:
    """`fidelity` itself.

    Raises:
        UserError: it is not in [0, 1].
    """
    if not 0 <= fidelity <= 1:
        raise UserError(f"fidelity: {fidelity} must lie in [0, 1]; 0 trusts the codebook, 1 the input")
    return float(fidelity)


def foreign_settings(
    kind: str, fidelity: Any, adain: Any, sampling: SamplingSettings, guidance: GuidanceSettings
) -> Iterator[str]:
    """Settings that are given and that this restorer does not have, a sentence each."""
    if kind not in PUBLISHED_FIDELITY:
        for key, value in (("fidelity", fidelity), ("adain", adain)):
            if value is not None:
                yield f"{key}: {value} is no setting of {kind}; leave it out"
    if kind not in DRAWING:
        for key in ("solver", "start", "steps", "eta"):
            if (value := getattr(sampling, key)) is not None:
                yield f"sampling.{key}: {value} is no setting of {kind}; leave it out, or take restorer=difface"
    if kind not in DIFFACE:
        for key in ("backbone", "tile"):
            if (value := getattr(sampling, key)) is not None:
                yield f"sampling.{key}: {value} is no setting of {kind}; leave it out, or take restorer=difface"
        if sampling.convention != "published":
            why = "has one convention alone" if kind in DRAWING else "does not sample"
            yield f"sampling.convention: {sampling.convention} changes nothing, since {kind} {why}; leave it out"
    if kind not in GUIDED:
        yield from _given_guidance(kind, guidance)


def _given_guidance(kind: str, guidance: GuidanceSettings) -> Iterator[str]:
    """Guidance has no value that means none was given: what differs from the file's was."""
    usual = asdict(usual_guidance())
    for key, value in asdict(guidance).items():
        if value != usual[key]:
            yield f"guidance.{key}: {value} is no setting of {kind}; leave it out, or take restorer={GUIDED[0]}"


def checked_kind(kind: str) -> str:
    """`kind` itself.

    Raises:
        UserError: there is no such restorer.
    """
    if kind not in RESTORERS:
        raise UserError(f"restorer: {kind!r} is not one of {', '.join(RESTORERS)}")
    return kind
