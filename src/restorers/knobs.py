"""Rules of the knobs that restorers share; imports no torch."""

from src.settings.errors import UserError

LEARNED = ("codeformer", "vqgan", "codeformer_colorization", "codeformer_inpainting")
"""Those that need a checkpoint; each is also the name of a published network."""
RESTORERS = (*LEARNED, "bicubic", "identity")
DRAWING: tuple[str, ...] = ()
"""Those whose result depends on a seed."""
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


def checked_kind(kind: str) -> str:
    """`kind` itself.

    Raises:
        UserError: there is no such restorer.
    """
    if kind not in RESTORERS:
        raise UserError(f"restorer: {kind!r} is not one of {', '.join(RESTORERS)}")
    return kind
