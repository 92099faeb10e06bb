"""Evaluates a finished run: every setting of its method, and the baselines once a study."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from src.checkpoints.network_file import load_network
from src.checkpoints.store import StoredRun
from src.config.stage_order import has_trained_guide
from src.data.benchmark import Benchmark
from src.data.image_file import write_png
from src.faces.grid import image_grid
from src.jobs.bench import Bench, RenderedNetworks, benchmark_of, faces_of, metric_context, summary_line
from src.jobs.evaluation import Evaluation, evaluate
from src.jobs.record_folders import record_stem, records_folder
from src.jobs.recording import Provenance, bare_record, method_of, record_evaluation
from src.jobs.restorations import RestorerAtWork
from src.jobs.severity import severity_of
from src.jobs.subjects import Subject, Trained, subjects
from src.jobs.upstream import Upstreams, needs_landmark_detector, needs_recogniser
from src.leaderboard.guides import guides_of
from src.metrics.build import build_suite
from src.metrics.suite import MetricSuite
from src.settings.commands import TrainConfig
from src.settings.errors import UserError
from src.tracking.provenance import incompatible_packages, package_versions
from src.tracking.records import RECORD_NAME, Record, StoredRecord, read_record

MOST_COLUMNS = 12
"""Of a contact sheet: the headings of more make it too wide to be looked at."""


@dataclass(frozen=True)
class Measured:
    """Records of a run and the pictures of the first faces, by face and column."""

    records: list[StoredRecord]
    pictures: dict[str, dict[str, np.ndarray]]


def cache_folder(config: TrainConfig) -> Path:
    """Where rendered faces are kept."""
    return Path(config.run_store) / "cache"


def load_benchmark(config: TrainConfig) -> Benchmark:
    """The configured benchmark at the scale's image size; raises what `benchmark_of` raises."""
    return benchmark_of(config.data, config.benchmark, config.scale.image_size, cache_folder(config))


def load_suite(config: TrainConfig, benchmark: Benchmark, upstreams: Upstreams, device: torch.device) -> MetricSuite:
    """The configured metrics, with the networks of rendered faces where the faces are, and with the guide if there is one."""
    wanted = {"recogniser": needs_recogniser(config), "landmark_detector": needs_landmark_detector(config)}
    networks = {name: _measuring(upstreams, name, device) for name, needed in wanted.items() if needed}
    guide = _measuring(upstreams, "guide_recogniser", device) if has_trained_guide(config, config.stage) else None
    context = metric_context(config.metrics, device, cache_folder(config), RenderedNetworks(**networks), guide)
    return build_suite(config.metrics, faces_of(benchmark), context)


def _measuring(upstreams: Upstreams, stage: str, device: torch.device) -> tuple[nn.Module, str]:
    loaded = load_network(upstreams.of(stage).weights_file(stage))
    return loaded.network.to(device), loaded.sha256


def evaluate_run(
    config: TrainConfig, run: StoredRun, upstreams: Upstreams, provenance: Provenance, device: torch.device
) -> Measured:
    """Evaluate what the run trained, write records and a picture grid below the study, and return them."""
    benchmark = load_benchmark(config)
    bench = Bench(
        benchmark, load_suite(config, benchmark, upstreams, device), severity_of(benchmark, config.evaluation.severity)
    )
    print(summary_line(bench.suite, guides_of(provenance.weights)), flush=True)
    template = bare_record(config, provenance)
    shown = range(min(config.evaluation.shown_faces, len(benchmark)))
    pictures: dict[str, dict[str, np.ndarray]] = {benchmark.names[i]: {"LQ": benchmark.lq[i]} for i in shown}
    records = []
    for subject in subjects(Trained(config, run, upstreams, provenance, benchmark, device)):
        folder = records_folder(config) / subject.folder
        if subject.is_baseline and (kept := kept_baseline(folder, bench)):
            records.append(kept)
            continue
        evaluation = _evaluate(config, subject, bench, device)
        records.append(StoredRecord(_record(config, template, subject, evaluation, bench, folder), folder))
        for i in shown:
            if not subject.is_baseline:
                pictures[benchmark.names[i]][subject.column] = evaluation.restored[i]
    for i in shown if benchmark.hq is not None else ():
        pictures[benchmark.names[i]]["HQ"] = benchmark.clean_faces()[i]
    write_grid(records_folder(config).parent / "images" / f"{record_stem(config)}.png", pictures)
    return Measured(records, pictures)


def kept_baseline(folder: Path, bench: Bench) -> StoredRecord | None:
    """A baseline's record that is still true: same pixels, definitions and severity bins, compatible packages."""
    path = folder / RECORD_NAME
    if not path.is_file():
        return None
    try:
        record = read_record(path)
    except UserError:
        return None
    measured = {name: metric.definition for name, metric in record.metrics.items()}
    wanted = {name: definition.as_dict() for name, definition in bench.suite.definitions.items()}
    same_faces = record.benchmark.get("hash") == bench.benchmark.hash
    scale = {} if bench.severity is None else bench.severity.scale()
    same = same_faces and measured == wanted and record.severity == scale
    same = same and not incompatible_packages(record.packages, package_versions())
    return StoredRecord(record, folder) if same else None


def _evaluate(config: TrainConfig, subject: Subject, bench: Bench, device: torch.device) -> Evaluation:
    return evaluate(
        RestorerAtWork(subject.restorer, subject.inputs, device),
        bench.benchmark,
        bench.suite,
        batch_size=config.evaluation.batch_size,
        title=f"evaluate {subject.arm} {subject.column}",
        progress=config.trainer.progress,
    )


def _record(
    config: TrainConfig, template: Record, subject: Subject, evaluation: Evaluation, bench: Bench, folder: Path
) -> Record:
    return record_evaluation(
        folder,
        template,
        method_of(subject.restorer),
        evaluation,
        bench,
        config.metrics.bootstrap_resamples,
        arm=subject.arm,
        baseline=subject.is_baseline,
        weights=subject.weights,
        diagnostics=subject.diagnostics | evaluation.diagnostics,
    )


def write_grid(path: Path, pictures: dict[str, dict[str, np.ndarray]]) -> None:
    """A contact sheet: a row a face, a column a picture of it, as PNG; the other way round where the columns are many."""
    rows = [list(columns.values()) for columns in pictures.values()]
    labels = list(next(iter(pictures.values())))
    if len(labels) <= MOST_COLUMNS:
        write_png(path, image_grid(rows, column_labels=labels))
    else:
        write_png(path, image_grid([list(row) for row in zip(*rows, strict=True)], row_labels=labels))
