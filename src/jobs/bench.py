"""What every subject of an evaluation shares: faces, metrics and the severity of each face."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from src.data import build_source
from src.data.benchmark import Benchmark, build_benchmark
from src.data.benchmark_layouts import open_benchmark
from src.jobs.severity import Severity
from src.metrics.build import MeasuredFaces, missing_metrics, strict_sentence
from src.metrics.kind import BuildContext
from src.metrics.suite import MetricSuite
from src.settings.commands import MetricsSettings
from src.settings.data import BenchmarkSettings, DataSettings
from src.settings.errors import UserError
from src.settings.metric_roles import GUIDE_ROLE

HEADLINE_ROLES = ("perceptual", "distribution", "identity", GUIDE_ROLE, "landmarks", "no_reference")


@dataclass(frozen=True)
class Bench:
    """A benchmark with the metrics that measure on it."""

    benchmark: Benchmark
    suite: MetricSuite
    severity: Severity | None


def benchmark_of(data: DataSettings, settings: BenchmarkSettings, size: int, cache: Path) -> Benchmark:
    """The faces at `size` pixels, from the folder `settings.root` or cut from the data; rendered ones are kept in `cache`.

    Raises:
        UserError: a file of a frozen benchmark does not match its manifest, or its faces have another size.
    """
    if settings.root is not None:
        return open_benchmark(Path(settings.root).expanduser(), size)
    source = build_source(data, split=settings.split, size=size, cache=cache)
    return build_benchmark(source, settings, f"{data.kind}-{settings.split}-{size}")


@dataclass(frozen=True)
class RenderedNetworks:
    """This suite's networks that measure rendered faces, with the SHA-256 of their files; None where there is none."""

    recogniser: tuple[nn.Module, str] | None = None
    landmark_detector: tuple[nn.Module, str] | None = None


def metric_context(
    settings: MetricsSettings,
    device: torch.device,
    cache: Path,
    rendered: RenderedNetworks | None = None,
    guide: tuple[nn.Module, str] | None = None,
) -> BuildContext:
    """Where metrics find weights and keep statistics; `rendered` where the faces are.

    `guide` is the recogniser of this suite that guides what is measured, with the SHA-256 of its file.
    """
    known = rendered or RenderedNetworks()
    return BuildContext(
        settings.weights_dir,
        device,
        cache,
        known.recogniser,
        settings.fetch,
        landmark_detector=known.landmark_detector,
        guide_recogniser=guide,
    )


def faces_of(benchmark: Benchmark) -> MeasuredFaces:
    """What metrics have to know of a benchmark's faces."""
    return MeasuredFaces(benchmark.size, benchmark.hq is not None)


def refuse_missing(settings: MetricsSettings, context: BuildContext) -> None:
    """With `metrics.strict`, stop before any work if a metric lacks something.

    Raises:
        UserError: one sentence for each metric that cannot be measured.
    """
    if settings.strict and (missing := missing_metrics(settings, context)):
        raise UserError(strict_sentence(missing))


def summary_line(suite: MetricSuite, guides: Collection[str] = ()) -> str:
    """What is measured where networks with the SHA-256 `guides` guide, what stands in, and how many metrics are missing."""
    chosen = {role: suite.primary_id(role, guides) for role in HEADLINE_ROLES}
    shown = [f"{role} {name}" for role, name in chosen.items() if name]
    plain = [name for name in ("psnr", "ssim") if name in suite.definitions]
    stand_ins = f"; stand-ins: {', '.join(sorted(suite.stand_ins))}" if suite.stand_ins else ""
    missing = f"; {len(suite.missing)} not measured (each record says which and why)" if suite.missing else ""
    return f"metrics: {', '.join([*plain, *shown])}{stand_ins}{missing}"
