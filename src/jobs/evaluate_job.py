"""Evaluates a restorer, or faces restored elsewhere, on a benchmark: records, pictures, leaderboard."""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from src.checkpoints.files import refuse_unwritable
from src.checkpoints.network_file import load_network
from src.data.benchmark import Benchmark
from src.data.frozen_manifest import is_frozen, read_manifest
from src.data.image_file import write_png
from src.data.synthetic import is_rendered
from src.jobs.bench import Bench, RenderedNetworks, benchmark_of, faces_of, metric_context, refuse_missing, summary_line
from src.jobs.board import print_study
from src.jobs.evaluate_run import kept_baseline, write_grid
from src.jobs.evaluated import Candidate, Evaluated, degraded_input
from src.jobs.evaluation import Evaluation, evaluate
from src.jobs.quiet import quieten
from src.jobs.ranks import Ranks, joined_ranks, own_device
from src.jobs.record_folders import study_folder
from src.jobs.recording import command_line, named_primary, record_evaluation
from src.jobs.severity import severity_of
from src.leaderboard.guides import guides_of
from src.metrics.build import build_suite
from src.metrics.kind import BuildContext
from src.networks import Recogniser
from src.restorers.device import torch_device
from src.restorers.latent_sampling import GUIDANCE_KNOBS
from src.restorers.locate import resolve_checkpoint
from src.settings.commands import EvaluateConfig
from src.settings.errors import UserError
from src.tracking.provenance import git_commit, hardware, package_versions
from src.tracking.record_time import times_of_records
from src.tracking.records import Record, StoredRecord
from src.tracking.wandb_run import evaluation_run, log_evaluation

PLACES = ("run_store", "save", "root", "device", "progress", "logger")
"""Settings that cannot change a number."""
Pictures = dict[str, dict[str, np.ndarray]]


def evaluate_job(config: EvaluateConfig, words: Sequence[str]) -> None:
    """Measure every setting of `config`, write the records of its study and print the leaderboard.

    Under `torchrun` the processes share the faces of each setting; the first one writes.

    Raises:
        UserError: the benchmark, the restorer or a metric cannot be had.
    """
    quieten()
    refuse_unwritable(Path(config.run_store))
    device = own_device(torch_device(config.device))
    with joined_ranks() as ranks:
        with ranks.first_one_first():
            refuse_missing(config.metrics, _context(config, device))
            candidate = Candidate(config, device)
            bench = _bench(config, candidate, device)
            _check_primary(config.metrics.primary, bench)
        if ranks.is_first:
            print(summary_line(bench.suite, guides_of(candidate.weights)), *_reasons(bench), sep="\n", flush=True)
        subjects = [degraded_input(bench.benchmark, device)], candidate.evaluated(bench.benchmark)
        with _logged(config, bench.benchmark, ranks) as run:
            records, pictures = _measure(config, words, (s for group in subjects for s in group), bench, ranks)
            if ranks.is_first:
                _conclude(config, records, pictures, run)


def _context(
    config: EvaluateConfig,
    device: torch.device,
    benchmark: Benchmark | None = None,
    guide: tuple[nn.Module, str] | None = None,
) -> BuildContext:
    rendered = RenderedNetworks()
    if benchmark is not None and all(map(is_rendered, benchmark.names)):
        recogniser, detector = (_measuring(config, kind) for kind in ("recogniser", "landmark_detector"))
        assert isinstance(recogniser[0], Recogniser)
        # The recogniser was trained on faces of one size; the detector finds its way in others.
        fits = recogniser[0].size.input_size == benchmark.size
        rendered = RenderedNetworks(recogniser if fits else None, detector)
    return metric_context(config.metrics, device, _cache(config), rendered, guide)


def _measuring(config: EvaluateConfig, kind: str) -> tuple[nn.Module, str]:
    loaded = load_network(resolve_checkpoint(getattr(config, kind), kind))
    return loaded.network, loaded.sha256


def _cache(config: EvaluateConfig) -> Path:
    return Path(config.run_store) / "cache"


def _bench(config: EvaluateConfig, candidate: Candidate, device: torch.device) -> Bench:
    benchmark = _benchmark(config, candidate)
    suite = build_suite(config.metrics, faces_of(benchmark), _context(config, device, benchmark, candidate.guide))
    return Bench(benchmark, suite, severity_of(benchmark, config.severity))


def _benchmark(config: EvaluateConfig, candidate: Candidate) -> Benchmark:
    root = None if config.benchmark.root is None else Path(config.benchmark.root).expanduser()
    size = config.size or candidate.image_size
    if root is not None and is_frozen(root):
        size = size or int(read_manifest(root)["size"])
    if size is None:
        raise UserError(f"size: not given, and {config.restorer} takes faces of any; write for example size=512")
    return benchmark_of(config.data, config.benchmark, size, _cache(config))


def _check_primary(primary: str | None, bench: Bench) -> None:
    measured = {*bench.suite.definitions, *(definition.role for definition in bench.suite.definitions.values())}
    if primary is not None and primary not in measured:
        raise UserError(
            f"metrics.primary: {primary!r} cannot be measured here; take one of {', '.join(sorted(measured))}, or leave it "
            "out"
        )


def _reasons(bench: Bench) -> list[str]:
    """A line a reason: metrics that lack the same file share one."""
    names: dict[str, list[str]] = {}
    for name, why in bench.suite.missing.items():
        names.setdefault(why, []).append(name)
    return [f"not measured: {', '.join(found)}: {why}" for why, found in names.items()]


@contextmanager
def _logged(config: EvaluateConfig, benchmark: Benchmark, ranks: Ranks) -> Iterator[Any]:
    if not ranks.is_first:
        yield None
        return
    name = f"{config.label or config.restorer}-{benchmark.name}"
    digest = _digest({"config": _content(config), "benchmark": benchmark.hash})
    shown = asdict(config) | {"benchmark_facts": benchmark.facts()}
    with evaluation_run(
        config.logger,
        folder=study_folder(config.run_store, config.study) / "wandb_runs" / f"{name}-{digest}",
        run_id=digest,
        name=name,
        group=config.study,
        config=shown,
        tags=(config.restorer, config.data.kind),
    ) as run:
        yield run


def _measure(
    config: EvaluateConfig, words: Sequence[str], subjects: Iterator[Evaluated], bench: Bench, ranks: Ranks
) -> tuple[list[StoredRecord], Pictures]:
    benchmark = bench.benchmark
    shown = range(min(config.shown_faces, len(benchmark)))
    pictures: Pictures = {benchmark.names[index]: {"LQ": benchmark.lq[index]} for index in shown}
    records, times = [], times_of_records(study_folder(config.run_store, config.study) / "records")
    for subject in subjects:
        folder = _record_folder(config, subject, benchmark)
        if subject.baseline and (kept := kept_baseline(folder, bench)):
            records.append(kept)
            continue
        evaluation = _evaluate(config, subject, bench, ranks)
        records.append(_record(config, words, subject, evaluation, bench, folder, next(times)))
        for index, face in ({} if subject.baseline else evaluation.pictures(shown)).items():
            pictures[benchmark.names[index]][subject.setting] = face
    if benchmark.hq is not None:
        for index in shown:
            pictures[benchmark.names[index]]["HQ"] = benchmark.hq[index]
    return records, pictures


def _record_folder(config: EvaluateConfig, subject: Evaluated, benchmark: Benchmark) -> Path:
    stem = f"{subject.arm}-{benchmark.name}-{benchmark.hash[:8]}"
    stem += "" if subject.baseline else f"-s{config.seed}-{_identity(config, subject)}"
    return study_folder(config.run_store, config.study) / "records" / stem / subject.setting


def _evaluate(config: EvaluateConfig, subject: Evaluated, bench: Bench, ranks: Ranks) -> Evaluation:
    evaluation = evaluate(
        subject.restorations,
        bench.benchmark,
        bench.suite,
        batch_size=config.batch_size,
        title=f"{subject.arm} {subject.setting}",
        progress=config.progress,
        ranks=ranks,
    )
    if ranks.is_first:
        print(_speed(subject, evaluation, len(bench.benchmark)), flush=True)
    if config.save is not None and not subject.baseline:
        folder = Path(config.save).expanduser() / subject.setting
        for index, face in zip(evaluation.share, evaluation.restored, strict=True):
            write_png(folder / f"{bench.benchmark.names[index]}.png", face)
    return evaluation


def _speed(subject: Evaluated, evaluation: Evaluation, n: int) -> str:
    alone = evaluation.seconds_per_image
    restoring = "" if alone is None else f", restoring alone {1 / alone:.3g} images/s a device"
    failures = {name: count for name, count in evaluation.result.failures.items() if count}
    failed = f"; failed: {', '.join(f'{name} {count}' for name, count in failures.items())}" if failures else ""
    return (
        f"{subject.arm} {subject.setting}: {n} faces at {evaluation.images_per_second:.3g} images/s with metrics"
        f"{restoring}{failed}"
    )


def _record(
    config: EvaluateConfig,
    words: Sequence[str],
    subject: Evaluated,
    evaluation: Evaluation,
    bench: Bench,
    folder: Path,
    created: str,
) -> StoredRecord:
    identity = _identity(config, subject)
    commit, dirty = git_commit()
    template = Record(
        study=config.study,
        arm=subject.arm,
        stage="evaluate",
        run=f"{subject.arm}-{identity}",
        identity=identity,
        created=created,
        question=config.question,
        seed=config.seed,
        restorer=subject.method.name,
        fidelity=None,
        adain=None,
        baseline=subject.baseline,
        status="finished",
        reason=None,
        commit=commit,
        dirty=dirty,
        command=command_line("src.evaluate", words),
        config=_content(config),
        benchmark={},
        weights=subject.weights,
        licences=subject.licences,
        hardware=hardware() | {"python": sys.version.split()[0]},
        packages=package_versions(),
    )
    resamples, told = config.metrics.bootstrap_resamples, evaluation.diagnostics
    record = record_evaluation(folder, template, subject.method, evaluation, bench, resamples, diagnostics=told)
    return StoredRecord(record, folder)


def _identity(config: EvaluateConfig, subject: Evaluated) -> str:
    """What all settings of one subject share, so that a curve over w, start or scale is of one network."""
    varied = ("fidelity", "seed", "solver", "start", "steps", "eta", *GUIDANCE_KNOBS)
    knobs = {name: value for name, value in subject.method.knobs.items() if name not in varied}
    facts = {"method": subject.method.name, "weights": subject.weights, "knobs": knobs, "precision": config.precision}
    return _digest({"arm": subject.arm, "seed": config.seed, **facts})


def _content(config: EvaluateConfig) -> dict[str, Any]:
    content = {key: value for key, value in asdict(config).items() if key not in PLACES}
    # Those that were measured stand in the record, with their hashes.
    content["metrics"] = {k: v for k, v in content["metrics"].items() if k != "definitions"} | named_primary(
        config.metrics
    )
    return content


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:10]


def _conclude(config: EvaluateConfig, records: list[StoredRecord], pictures: Pictures, run: Any) -> None:
    folder = study_folder(config.run_store, config.study)
    grid = folder / "images" / f"{config.label or config.restorer}-{records[-1].record.benchmark['hash'][:8]}.png"
    write_grid(grid, pictures)
    if run is not None:
        log_evaluation(run, records, pictures)
    try:
        print_study(folder, config.study, config.metrics)
    except UserError as error:
        # The records are written: other evaluations of the study may make it comparable.
        print(f"warning: no leaderboard yet: {error}", file=sys.stderr)
