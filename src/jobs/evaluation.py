"""Measures restored faces against a benchmark, alone or as one of several processes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import UInt8
from tqdm import tqdm

from src.data.benchmark import Benchmark
from src.data.image_stack import empty_stack
from src.jobs.ranks import Ranks
from src.jobs.restorations import Restorations, channels_first
from src.metrics.suite import MetricSuite, SuiteEvaluator, SuiteResult

Faces = UInt8[np.ndarray, "n s s 3"]
Face = UInt8[np.ndarray, "s s 3"]


@dataclass(frozen=True)
class Evaluation:
    """What became of a benchmark."""

    result: SuiteResult
    seconds_per_image: float | None
    """Of restoring alone, without reading and metrics, on one device: the median over batches, so that a cold start does not
    count; None where others did it."""
    images_per_second: float
    """Of everything together, over all processes."""
    memory_mb: float | None
    """That restoring needs in this process, parameters included; None where it is not known."""
    ranks: Ranks
    share: range
    """The faces of this process."""
    restored: Faces
    """Those faces, restored."""
    diagnostics: dict[str, float] = field(default_factory=dict)
    """How the method worked, means over all faces (`Record.diagnostics`)."""

    def pictures(self, indices: Sequence[int]) -> dict[int, Face]:
        """Restored faces by their place, in every process; all have to call it."""
        own = {index: self.restored[index - self.share.start] for index in indices if index in self.share}
        return {index: face for part in self.ranks.gather(own) for index, face in part.items()}


def evaluate(
    restorations: Restorations,
    benchmark: Benchmark,
    suite: MetricSuite,
    *,
    batch_size: int,
    title: str,
    progress: bool,
    ranks: Ranks | None = None,
) -> Evaluation:
    """Restore every face once and measure it; several processes share the faces and all get the whole result."""
    ranks = ranks or Ranks()
    share = ranks.share(len(benchmark))
    evaluator, restored = suite.evaluator(benchmark.hash), empty_stack(len(share), benchmark.size)
    started = time.perf_counter()
    with tqdm(total=len(share), desc=title, disable=not (progress and ranks.is_first), unit="face", leave=False) as bar:
        for start in range(share.start, share.stop, batch_size):
            indices = range(start, min(start + batch_size, share.stop))
            levels = restorations.batch(indices)
            restored[start - share.start : indices.stop - share.start] = levels.permute(0, 2, 3, 1).cpu().numpy()
            _measure(evaluator, indices, levels, benchmark)
            bar.update(len(indices))
    result = suite.result(ranks.gather(evaluator.measurements()))
    elapsed = time.perf_counter() - started
    spent = [seconds for part in ranks.gather(restorations.seconds) for seconds in part]
    per_image = float(np.median(spent)) if spent else None
    speed = len(benchmark) / elapsed
    told = _means(ranks.gather((len(share), restorations.diagnostics)))
    return Evaluation(result, per_image, speed, restorations.megabytes, ranks, share, restored, told)


def _means(parts: Sequence[tuple[int, dict[str, float]]]) -> dict[str, float]:
    """Means over the faces of all processes, of which each told its own; one without faces told nothing."""
    told = [(count, diagnostics) for count, diagnostics in parts if diagnostics]
    faces = sum(count for count, _ in told)
    names = told[0][1] if told else ()
    return {name: sum(count * diagnostics[name] for count, diagnostics in told) / faces for name in names}


def _measure(evaluator: SuiteEvaluator, indices: range, levels: torch.Tensor, benchmark: Benchmark) -> None:
    part = slice(indices.start, indices.stop)
    truth = None if benchmark.hq is None else channels_first(benchmark.hq[part])
    points = None if benchmark.landmarks is None else torch.from_numpy(benchmark.landmarks[part].copy())
    evaluator.update(indices, levels, truth, channels_first(benchmark.lq[part]), points)
