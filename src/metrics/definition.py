"""A metric is a named, versioned definition that travels with its numbers (conventions.md 6.1)."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Direction = Literal["higher", "lower"]


@dataclass(frozen=True, kw_only=True)
class MetricDefinition:
    """What a number means."""

    id: str
    role: str
    """psnr, ssim, perceptual, distribution, distribution_unbiased, identity or identity_degrees."""
    direction: Direction
    """Which side is better."""
    range: str
    formula: str
    source: str
    extractor_sha256: str | None = None
    """Hash of the network's weights; None without a network."""
    version: int = 1

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a record."""
        return asdict(self)
