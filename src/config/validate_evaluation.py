"""Rules of `python -m src.evaluate`; all problems are reported at once. Imports no torch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from src.config.validate import at_least, choice, metrics_problems, seed, within
from src.degradation.chain import recipe_problems
from src.settings.commands import EvaluateConfig
from src.settings.errors import UserError
from src.settings.restore import PRECISIONS

EXTERNAL = "external"
"""The restorer that is a folder of faces restored elsewhere."""


def check_evaluation(config: EvaluateConfig) -> None:
    """Raise one `UserError` that lists every problem, each with key, value and what is allowed."""
    problems = list(_problems(config))
    if problems:
        raise UserError("; ".join(problems))


def fidelities(value: Any) -> list[Any]:
    """`fidelity` as the settings that are evaluated one after the other; None is the method's own."""
    return list(value) if isinstance(value, list) else [value]


def _problems(config: EvaluateConfig) -> Iterator[str]:
    for weight in fidelities(config.fidelity):
        if isinstance(weight, bool) or not isinstance(weight, int | float | None):
            yield f"fidelity: {weight!r} is no number"
        elif weight is not None:
            yield from within("fidelity", weight, 0.0, 1.0)
    if config.restorer == EXTERNAL and (config.root is None or not Path(config.root).expanduser().is_dir()):
        yield f"root: {config.root!r} is not a folder; restorer=external needs the folder of the restored faces"
    if config.restorer != EXTERNAL and config.root is not None:
        yield f"root: {config.root!r} is used by restorer=external alone, and restorer is {config.restorer}"
    for key, value in (("study", config.study), ("label", config.label)):
        if value is not None and (not value or "/" in value):
            yield f"{key}: {value!r} names a folder; it must not be empty or contain a slash"
    yield from seed("seed", config.seed)
    for key in ("batch_size", "shown_faces"):
        yield from at_least(key, getattr(config, key), 1)
    yield from choice("device", config.device, ("auto", "cpu", "cuda"))
    yield from choice("precision", config.precision, PRECISIONS)
    yield from choice("severity.by", config.severity.by, ("auto", "factor", "input_error"))
    yield from metrics_problems(config.metrics)
    if config.benchmark.root is None:
        yield from at_least("benchmark.count", config.benchmark.count, 1)
        yield from choice("benchmark.split", config.benchmark.split, ("validation", "test"))
        yield from (f"benchmark.degradation: {problem}" for problem in recipe_problems(config.benchmark.degradation))
