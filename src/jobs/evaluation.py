"""Runs a restorer over a benchmark and measures the result."""

import time
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from tqdm import tqdm

from src.data.benchmark import Benchmark
from src.data.levels import to_levels, to_network
from src.metrics.suite import MetricSuite, SuiteResult
from src.restorers.base import Restorer
from src.tracking.records import Cost

Faces = UInt8[np.ndarray, "n s s 3"]


@dataclass(frozen=True)
class Evaluation:
    """What one restorer made of a benchmark."""

    restored: Faces
    result: SuiteResult
    cost: Cost


def channels_first(faces: Faces) -> UInt8[Tensor, "n 3 s s"]:
    """Pictures as one tensor."""
    return torch.from_numpy(np.ascontiguousarray(faces.transpose(0, 3, 1, 2)))


def evaluate(
    restorer: Restorer,
    inputs: Faces,
    benchmark: Benchmark,
    suite: MetricSuite,
    *,
    device: torch.device,
    batch_size: int,
    title: str,
    progress: bool,
) -> Evaluation:
    """Restore `inputs` (the benchmark's lq, or hq for an upper bound) and compare with the benchmark's hq.

    Seconds an image are those of the restorer alone, without reading and metrics.
    """
    seconds = 0.0
    batches = []
    evaluator, hq = suite.evaluator(benchmark.hash), benchmark.clean_faces()
    with tqdm(total=len(benchmark), desc=title, disable=not progress, unit="face", leave=False) as bar:
        for start in range(0, len(benchmark), batch_size):
            part = slice(start, start + batch_size)
            restored, spent = _timed(restorer, channels_first(inputs[part]).to(device))
            seconds += spent
            points = None if benchmark.landmarks is None else torch.from_numpy(benchmark.landmarks[part].copy())
            evaluator.update(restored, channels_first(hq[part]), points)
            batches.append(restored.permute(0, 2, 3, 1).cpu().numpy())
            bar.update(restored.shape[0])
    return Evaluation(np.concatenate(batches), evaluator.compute(), _cost(restorer, seconds / len(benchmark), device))


def _timed(restorer: Restorer, lq: UInt8[Tensor, "b 3 s s"]) -> tuple[UInt8[Tensor, "b 3 s s"], float]:
    started = time.perf_counter()
    restored = to_levels(restorer.restore(to_network(lq)))
    if lq.is_cuda:
        torch.cuda.synchronize()
    return restored, time.perf_counter() - started


def _cost(restorer: Restorer, seconds_per_image: float, device: torch.device) -> Cost:
    peak = torch.cuda.max_memory_allocated() / 2**20 if device.type == "cuda" else None
    return Cost(restorer.parameters, restorer.network_evaluations, seconds_per_image, peak)
