"""From `metrics.*` to the metrics of an evaluation: which are asked for, which can be measured here, and why not."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from fnmatch import fnmatchcase
from typing import Any

from src.metrics.definition import MetricDefinition
from src.metrics.identity import RecogniserKind
from src.metrics.kind import BuildContext, CannotMeasure, MetricKind
from src.metrics.kinds import KINDS
from src.metrics.landmark_distance import LandmarkDistanceKind
from src.metrics.metric import DerivedMetric, Metric
from src.metrics.recognisers import GUIDE
from src.metrics.suite import MetricSuite
from src.settings.commands import MetricsSettings
from src.settings.errors import UserError


@dataclass(frozen=True)
class MeasuredFaces:
    """What is known of the faces before they are measured."""

    side: int
    """Pixels."""
    has_truth: bool
    """Whether clean originals exist."""


@dataclass(frozen=True)
class _Entry:
    """An entry of `metrics.definitions` that is asked for."""

    name: str
    kind: MetricKind
    stand_in_for: tuple[str, ...]
    rendered_only: bool
    is_given: bool
    """Whether the option that `asked_with` names has a value."""


def build_suite(settings: MetricsSettings, faces: MeasuredFaces, context: BuildContext) -> MetricSuite:
    """The metrics that are asked for and can be measured; a sentence for every other one.

    `metrics.stand_ins` says when an entry with `stand_in_for` is measured: `where_missing` one of the metrics that it
    stands for cannot be, or none of them is asked for; `always` or `never`. A stand-in keeps its own name.

    Raises:
        UserError: an entry is wrong; with `metrics.strict` also if a metric lacks something here (one sentence each). One
            that is not for these faces, too small or without originals, is no reason to stop.
    """
    context = replace(context, side=faces.side)
    entries = _asked_of(settings, context)
    own = [entry for entry in entries if not entry.stand_in_for]
    built, missing, unfit = _built(own, faces, context)
    standing = [entry for entry in entries if entry.stand_in_for and _is_needed(entry, settings, missing | unfit)]
    stand_ins, absent, too = _built(standing, faces, context)
    missing |= absent
    if settings.strict and missing:
        raise UserError(strict_sentence(missing))
    missing |= unfit | too | _lacking_ingredients(built, stand_ins)
    metrics = [(built | stand_ins)[name] for name in settings.definitions if name in built or name in stand_ins]
    ids = {definition.id for metric in stand_ins.values() for definition in metric.definitions}
    return MetricSuite(metrics, context.device, missing, frozenset(ids))


def _lacking_ingredients(*groups: dict[str, Metric]) -> dict[str, str]:
    """Takes out what is computed from metrics that are not measured, until nothing is left to take out."""
    missing: dict[str, str] = {}
    while True:
        ids = {d.id for group in groups for metric in group.values() for d in metric.definitions}
        lost = {name: absent for group in groups for name, metric in group.items() if (absent := _absent(metric, ids))}
        if not lost:
            return missing
        missing |= {name: f"it is computed from {', '.join(absent)}, not measured" for name, absent in lost.items()}
        for group in groups:
            for name in lost:
                group.pop(name, None)


def _absent(metric: Metric, ids: set[str]) -> list[str]:
    return [name for name in metric.ingredients if name not in ids] if isinstance(metric, DerivedMetric) else []


def missing_metrics(settings: MetricsSettings, context: BuildContext) -> dict[str, str]:
    """Why metrics that are asked for cannot be measured here, by name; loads no network, stand-ins are left out."""
    entries = [e for e in _asked_of(settings, context) if not e.stand_in_for or settings.stand_ins == "always"]
    return {entry.name: "; ".join(found) for entry in entries if (found := entry.kind.missing(context))}


def _asked_of(settings: MetricsSettings, context: BuildContext) -> list[_Entry]:
    return [entry for entry in asked_for(settings) if entry.is_given and _is_for(entry, context)]


def _is_for(entry: _Entry, context: BuildContext) -> bool:
    """Whether the faces are of the kind that a metric is for; one of rendered faces needs the network that measures them.

    The guide's is for what a recogniser of this suite guides.
    """
    if isinstance(entry.kind, RecogniserKind) and entry.kind.recogniser == GUIDE:
        return context.guide_recogniser is not None
    if not entry.rendered_only:
        return True
    by_landmarks = isinstance(entry.kind, LandmarkDistanceKind)
    return (context.landmark_detector if by_landmarks else context.rendered_recogniser) is not None


def strict_sentence(missing: Mapping[str, str]) -> str:
    """What `metrics.strict` stops with."""
    listed = "".join(f"\n  {name}: {why}" for name, why in missing.items())
    return f"metrics.strict: {len(missing)} metrics cannot be measured:{listed}"


def asked_for(settings: MetricsSettings) -> Iterator[_Entry]:
    """The entries that `metrics.measure` and `metrics.leave_out` choose.

    Raises:
        UserError: an entry has no known kind, or wrong options, or a pattern fits none.
    """
    for key, patterns in (("measure", settings.measure), ("leave_out", settings.leave_out)):
        for pattern in patterns:
            if not _fits_any(pattern, settings.definitions):
                known = ", ".join(settings.definitions)
                raise UserError(f"metrics.{key}: {pattern!r} fits no metric; they are {known}")
    for name, options in settings.definitions.items():
        if _is_named(name, settings.measure) and not _is_named(name, settings.leave_out):
            yield _entry(name, options)


def _is_named(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _fits_any(pattern: str, names: Mapping[str, Any]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)


def _entry(name: str, options: Mapping[str, Any]) -> _Entry:
    key = f"metrics.definitions.{name}"
    given = dict(options)
    kind = given.pop("kind", None)
    stands_for = given.pop("stand_in_for", ())
    rendered_only = bool(given.pop("rendered_only", False))
    asked_with = given.pop("asked_with", None)
    is_given = asked_with is None or given.get(asked_with) is not None
    if kind not in KINDS:
        raise UserError(f"{key}.kind: {kind!r} is not one of {', '.join(KINDS)}")
    known = [entry.name for entry in fields(KINDS[kind])]
    if unknown := sorted(set(given) - set(known)):
        raise UserError(f"{key}: {', '.join(unknown)} is no option of {kind}, which takes {', '.join(known) or 'none'}")
    if lacking := [option for option in _required(kind) if option not in given]:
        raise UserError(f"{key}: {kind} needs {', '.join(lacking)}")
    try:
        return _Entry(name, KINDS[kind](**given), tuple(stands_for), rendered_only, is_given)
    except (TypeError, ValueError) as error:
        raise UserError(f"{key}: {error}") from None


def _required(kind: str) -> list[str]:
    return [
        entry.name for entry in fields(KINDS[kind]) if entry.default is MISSING and entry.default_factory is MISSING
    ]


def _is_needed(entry: _Entry, settings: MetricsSettings, missing: Mapping[str, str]) -> bool:
    if settings.stand_ins != "where_missing":
        return settings.stand_ins == "always"
    # Whoever names a stand-in alone wants that one.
    alone = not any(_is_named(name, settings.measure) for name in entry.stand_in_for)
    return alone or any(name in missing for name in entry.stand_in_for)


def _built(
    entries: Sequence[_Entry], faces: MeasuredFaces, context: BuildContext
) -> tuple[dict[str, Metric], dict[str, str], dict[str, str]]:
    """The metrics, why others lack something, and why others are not for these faces."""
    built: dict[str, Metric] = {}
    missing: dict[str, str] = {}
    unfit: dict[str, str] = {}
    for entry in entries:
        if lacking := entry.kind.missing(context):
            missing[entry.name] = "; ".join(lacking)
            continue
        try:
            metric = entry.kind.build(entry.name, context)
        except CannotMeasure as reason:
            missing[entry.name] = str(reason)
            continue
        if why := _unfit(metric.definitions, faces):
            unfit[entry.name] = why
        else:
            built[entry.name] = metric
    return built, missing, unfit


def _unfit(definitions: Sequence[MetricDefinition], faces: MeasuredFaces) -> str | None:
    """Why these faces cannot be measured by it."""
    if not faces.has_truth and any("truth" in definition.needs for definition in definitions):
        return "it compares with clean originals, and the benchmark has none"
    least = max(definition.least_side for definition in definitions)
    return f"it needs faces of at least {least} pixels, and these have {faces.side}" if faces.side < least else None
