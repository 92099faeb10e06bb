"""What the tensor engine leaves to the CPU engine; imports neither OpenCV nor torch."""

from src.degradation.chain import Chain
from src.degradation.operations import BrushMask, GaussianOrPoissonNoise, Operation, PoissonNoise, Webp


def unsupported_steps(chain: Chain) -> list[str]:
    """A sentence for each step that the tensor engine cannot do; empty if it can do the chain."""
    return [
        f"steps.{step.name}: {reason} not available on the device; use trainer.degradation=loader."
        for step in chain.steps
        if step.operation is not None and (reason := _missing(step.operation))
    ]


def _missing(operation: Operation) -> str | None:
    if isinstance(operation, Webp):
        return "WebP is"
    if isinstance(operation, BrushMask):
        return "brush masks are"
    if isinstance(operation, PoissonNoise) or (
        isinstance(operation, GaussianOrPoissonNoise) and operation.gaussian < 1
    ):
        return "Poisson noise is"
    return None
