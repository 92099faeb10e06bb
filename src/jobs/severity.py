"""How badly each face of a benchmark was degraded, and the bins in which results are shown."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from src.data.benchmark import Benchmark
from src.settings.commands import SeveritySettings
from src.settings.errors import UserError

FACTOR_EDGES = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]


@dataclass(frozen=True)
class Severity:
    """A number a face, larger for worse faces."""

    name: str
    """What the number is, with its unit."""
    values: Float[np.ndarray, "n"]
    edges: list[float]
    """Rising bounds of the bins."""

    def scale(self) -> dict[str, Any]:
        """What a record says of the numbers."""
        return {"name": self.name, "edges": self.edges}


def severity_of(benchmark: Benchmark, settings: SeveritySettings) -> Severity | None:
    """The severity of every face; None where neither the recipe nor a clean original is known.

    Raises:
        UserError: what `by` names is not known of this benchmark.
    """
    factor, error = _by_factor(benchmark, settings.edges), _by_input_error(benchmark, settings.edges)
    if settings.by == "auto":
        return factor if factor is not None and _filled_bins(factor) > 1 else error
    chosen = factor if settings.by == "factor" else error
    if chosen is None:
        lacking = "its recipe" if settings.by == "factor" else "a clean original"
        raise UserError(
            f"severity.by: {settings.by} needs {lacking}, which {benchmark.name} lacks; take severity.by=auto"
        )
    return chosen


def _by_factor(benchmark: Benchmark, edges: list[float] | None) -> Severity | None:
    if benchmark.factors is None:
        return None
    return Severity("times shrunk", benchmark.factors.astype(np.float64), edges or FACTOR_EDGES)


def _by_input_error(benchmark: Benchmark, edges: list[float] | None) -> Severity | None:
    if benchmark.hq is None:
        return None
    pairs = zip(benchmark.lq, benchmark.hq, strict=True)
    errors = np.array([np.sqrt(np.mean((lq.astype(np.float64) - hq) ** 2)) for lq, hq in pairs])
    return Severity("RMSE of the input, levels", errors, edges or _thirds(errors))


def _thirds(values: Float[np.ndarray, "n"]) -> list[float]:
    # Rounded outwards, so that the extreme faces stay inside and the edges can be read.
    low, first, second, high = np.quantile(values, [0, 1 / 3, 2 / 3, 1])
    edges = [np.floor(low * 10) / 10, round(first, 1), round(second, 1), np.ceil(high * 10) / 10]
    return [float(edge) for edge in dict.fromkeys(edges)] if edges[0] < edges[-1] else [float(low), float(low) + 1]


def _filled_bins(severity: Severity) -> int:
    counts, _ = np.histogram(severity.values, severity.edges)
    return int((counts > 0).sum())
