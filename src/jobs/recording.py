"""Turns an evaluation into a record of its study."""

import shlex
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.checkpoints.catalogue import licence_of
from src.config.identity import arm_label, effective_config
from src.data.benchmark import Benchmark
from src.jobs.bench import Bench
from src.jobs.evaluation import Evaluation
from src.jobs.gallery import chosen_faces, write_gallery
from src.jobs.record_folders import records_folder
from src.jobs.severity import Severity
from src.jobs.training_recipes import training_chains
from src.leaderboard.guides import guides_of
from src.metrics.statistics import bootstrap_mean
from src.metrics.suite import MetricSuite, SuiteResult
from src.restorers.base import Restorer
from src.settings.commands import MetricsSettings, TrainConfig
from src.settings.metric_roles import DEFAULT_PRIMARY, GUIDE_ROLE, RECORDED_ROLES
from src.tracking.provenance import git_commit, hardware, package_versions
from src.tracking.record_time import time_of_record
from src.tracking.records import (
    FACE_COLUMN,
    SEVERITY_COLUMN,
    Cost,
    MetricValue,
    Record,
    write_record,
)


@dataclass(frozen=True)
class Provenance:
    """What all records of one run share."""

    run: str
    identity: str
    overrides: Sequence[str]
    weights: Mapping[str, str]
    """SHA-256 of the networks that the run trained and of those it was built on."""
    chosen: Mapping[str, str] = field(default_factory=dict)
    """What `auto` stood for."""
    licences: Mapping[str, str] = field(default_factory=dict)
    """Of the published networks on which the run was built."""


def command_line(module: str, overrides: Sequence[str]) -> str:
    """The command that repeats a run, without the place of the run store."""
    kept = [text for text in overrides if not text.startswith("run_store=")]
    return shlex.join(["python", "-m", module, *kept])


def named_primary(metrics: MetricsSettings) -> dict[str, Any]:
    """What decides the study, and whether nobody named it."""
    return {"primary": metrics.primary or DEFAULT_PRIMARY, "primary_is_default": metrics.primary is None}


def bare_record(config: TrainConfig, provenance: Provenance) -> Record:
    """A record without values: what is known before anything was measured."""
    commit, dirty = git_commit()
    return Record(
        study=config.study,
        arm=arm_label(config),
        stage=config.stage,
        run=provenance.run,
        identity=provenance.identity,
        created=time_of_record(records_folder(config)),
        question=config.question,
        seed=config.seed,
        restorer="none",
        fidelity=None,
        adain=None,
        baseline=False,
        status="finished",
        reason=None,
        commit=commit,
        dirty=dirty,
        command=command_line("src.train", provenance.overrides),
        config=effective_config(config)
        | {
            "chosen": dict(provenance.chosen),
            "recipes": recipe_hashes(config),
            "metrics": named_primary(config.metrics),
        },
        benchmark={},
        weights=dict(provenance.weights),
        licences=dict(provenance.licences),
        hardware=hardware() | {"python": sys.version.split()[0]},
        packages=package_versions(),
    )


def metric_values(result: SuiteResult, n: int, *, resamples: int) -> dict[str, MetricValue]:
    """Means with bootstrap intervals over images; values of the whole set as they are."""
    values = {}
    for name, definition in result.definitions.items():
        plain = definition.as_dict()
        if name in result.per_image:
            interval = bootstrap_mean(result.per_image[name], resamples, seed=0)
            bounds = (interval.low, interval.high)
            values[name] = MetricValue(plain, interval.mean, interval.n, result.failures[name], bounds)
        else:
            values[name] = MetricValue(plain, result.per_set[name], n, 0, None)
    return values


def extractor_licences(result: SuiteResult) -> dict[str, str]:
    """Licence by metric of the published networks that measured."""
    hashes = {name: definition.extractor_sha256 for name, definition in result.definitions.items()}
    found = {name: licence_of(None, sha) for name, sha in hashes.items() if sha is not None}
    return {f"metric/{name}": licence for name, licence in found.items() if licence is not None}


def per_image_table(benchmark: Benchmark, result: SuiteResult, severity: Severity | None) -> pd.DataFrame:
    """One row a face: its name, its severity if that is known, and every per-image value."""
    columns: dict[str, Any] = {FACE_COLUMN: list(benchmark.names)}
    if severity is not None:
        columns[SEVERITY_COLUMN] = severity.values
    return pd.DataFrame(columns | {name: np.asarray(values) for name, values in result.per_image.items()})


def recipe_hashes(config: TrainConfig) -> dict[str, str]:
    """Hash by name of the recipes that the stage was trained with."""
    return {chain.name: chain.hash for chain in training_chains(config)}


def benchmark_facts(benchmark: Benchmark) -> dict[str, Any]:
    """The benchmark as a record names it; the hash stands for the pixels."""
    return benchmark.facts() | {"n": len(benchmark)}


def primary_roles(suite: MetricSuite, guides: Collection[str]) -> dict[str, str]:
    """Role to the id of the metric that stands for it; never identity to one whose network is among the SHA-256 `guides`."""
    chosen = {role: suite.primary_id(role, guides) for role in (*RECORDED_ROLES, GUIDE_ROLE)}
    return {role: name for role, name in chosen.items() if name is not None}


@dataclass(frozen=True)
class Method:
    """What a record says of the method that restored the faces."""

    name: str
    knobs: dict[str, Any] = field(default_factory=dict)
    parameters: int | None = None
    """None where the faces were restored elsewhere: their cost is not known."""
    network_evaluations: int = 0


def method_of(restorer: Restorer) -> Method:
    """The method and its cost, as the restorer itself tells them."""
    return Method(restorer.name, dict(restorer.knobs), restorer.parameters, restorer.network_evaluations)


def record_evaluation(
    folder: Path,
    record: Record,
    method: Method,
    evaluation: Evaluation,
    bench: Bench,
    resamples: int,
    **changes: Any,
) -> Record:
    """Apply `changes` to `record`, fill it with what was measured, write it with the pictures of its gallery, return it.

    Every process of the evaluation has to call it; the first one writes.
    """
    record = replace(record, **changes)
    guides = guides_of(record.weights)
    result, knobs, benchmark, severity = evaluation.result, method.knobs, bench.benchmark, bench.severity
    chosen = chosen_faces(result, guides)
    restored = evaluation.pictures(sorted(set(chosen[1].values())) if chosen else [])
    filled = replace(
        record,
        restorer=method.name,
        fidelity=knobs.get("fidelity"),
        adain=bool(knobs["adain"]) if "adain" in knobs else None,
        knobs=knobs,
        benchmark=benchmark_facts(benchmark),
        metrics=metric_values(result, len(benchmark), resamples=resamples),
        roles=primary_roles(bench.suite, guides),
        licences=record.licences | extractor_licences(result),
        missing=result.missing,
        severity={} if severity is None else severity.scale(),
        cost=_cost(method, evaluation),
    )
    if evaluation.ranks.is_first:
        filled = replace(filled, gallery=write_gallery(folder, result, benchmark, restored, guides))
        write_record(folder, filled, per_image_table(benchmark, result, severity), overwrite=True)
    return filled


def _cost(method: Method, evaluation: Evaluation) -> Cost | None:
    if method.parameters is None or evaluation.seconds_per_image is None:
        return None
    return Cost(method.parameters, method.network_evaluations, evaluation.seconds_per_image, evaluation.memory_mb)
