"""A metric is a named, versioned definition that travels with its numbers (conventions.md 6.1)."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Direction = Literal["higher", "lower"]
View = Literal["restored", "truth", "input"]
"""A restored face, its clean original, or the degraded face that was restored."""


@dataclass(frozen=True, kw_only=True)
class MetricDefinition:
    """What a number means."""

    id: str
    role: str
    """What it measures, shared by metrics that may stand for each other: psnr, ssim, perceptual, distribution,
    distribution_unbiased, identity, landmarks, no_reference, or the id itself where nothing else measures the same."""
    direction: Direction
    """Which side is better."""
    range: str
    """Possible values with their unit."""
    formula: str
    source: str
    """Paper, package or fact sheet."""
    needs: tuple[View, ...] = ("truth",)
    """What it looks at besides the restored face."""
    least_side: int = 1
    """Smallest side of the faces, pixels."""
    extractor_sha256: str | None = None
    """Hash of the network's weights; None without a network."""
    reference: str = ""
    """What a set of faces is compared with, for a distance between sets."""
    reference_sha256: str | None = None
    """Hash of that set; None where it is the benchmark's own ground truth, which has a hash in the record."""
    reference_n: int | None = None
    """Faces in that set; None where it is as large as the benchmark."""
    version: int = 1

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a record."""
        return asdict(self) | {"needs": list(self.needs)}
