"""Rules of `python -m src.evaluate`; all problems are reported at once. Imports no torch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from src.config.rules import at_least, choice, seed, within
from src.config.validate import metrics_problems, severity_problems
from src.degradation.chain import recipe_problems
from src.restorers.knobs import DIFFACE, DRAWING, RESTORERS, foreign_settings
from src.restorers.locate import PUBLISHED, resolve_checkpoints
from src.restorers.sampling import sampling_combinations
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
    yield from choice("restorer", config.restorer, (*RESTORERS, EXTERNAL))
    if config.fidelity == []:
        yield "fidelity: [] must name at least one fidelity in [0, 1]"
    for weight in fidelities(config.fidelity):
        if isinstance(weight, bool) or not isinstance(weight, int | float | None):
            yield f"fidelity: {weight!r} is no number"
        elif weight is not None:
            yield from within("fidelity", weight, 0.0, 1.0)
    if config.restorer == EXTERNAL and (config.root is None or not Path(config.root).expanduser().is_dir()):
        yield f"root: {config.root!r} is not a folder; restorer=external needs the folder of the restored faces"
    if config.restorer != EXTERNAL and config.root is not None:
        yield f"root: {config.root!r} is used by restorer=external alone, and restorer is {config.restorer}"
    yield from foreign_settings(config.restorer, config.fidelity, config.adain, config.sampling, config.guidance)
    yield from _sampling(config)
    yield from _files(config)
    yield from _names(config)
    yield from seed("seed", config.seed)
    if config.seed and config.restorer not in (EXTERNAL, *DRAWING):
        yield f"seed: {config.seed} changes nothing, since {config.restorer} draws nothing; leave it at 0"
    for key in ("batch_size", "shown_faces", "size"):
        if (count := getattr(config, key)) is not None:
            yield from at_least(key, count, 1)
    yield from choice("device", config.device, ("auto", "cpu", "cuda"))
    yield from choice("precision", config.precision, PRECISIONS)
    yield from severity_problems("severity", config.severity)
    yield from metrics_problems(config.metrics)
    if config.benchmark.root is None:
        yield from at_least("benchmark.count", config.benchmark.count, 1)
        yield from choice("benchmark.split", config.benchmark.split, ("validation", "test"))
        yield from (f"benchmark.degradation: {problem}" for problem in recipe_problems(config.benchmark.degradation))


def _sampling(config: EvaluateConfig) -> Iterator[str]:
    try:
        if config.restorer in DIFFACE:
            sampling_combinations(config.sampling, config.restorer, [config.seed])
        elif config.restorer in DRAWING:
            # Guidance knows its noising process, and so torch, which the mistakes of other methods need not wait for.
            from src.restorers.latent_sampling import latent_sampling_combinations

            latent_sampling_combinations(config.sampling, config.guidance, [config.seed])
    except UserError as error:
        yield str(error)


def _files(config: EvaluateConfig) -> Iterator[str]:
    """Published ones are left to the job, in which one process fetches them for all."""
    if PUBLISHED not in (config.checkpoint, config.sampling.backbone):
        try:
            resolve_checkpoints(config.restorer, config.checkpoint, config.sampling.backbone)
        except UserError as error:
            yield str(error)


def _names(config: EvaluateConfig) -> Iterator[str]:
    for key, value in (("study", config.study), ("label", config.label)):
        if value is not None and (value in ("", ".", "..") or "/" in value):
            yield f"{key}: {value!r} names a folder; it must not be empty, a dot or two, or contain a slash"
