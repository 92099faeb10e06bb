"""Evaluates a diffusion prior on faces it has never seen: its denoising errors, and how like faces its samples are."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from src.checkpoints.files import atomic_path
from src.checkpoints.store import StoredRun
from src.data.benchmark import Benchmark
from src.data.image_file import write_png
from src.data.levels import to_levels, to_network
from src.degradation.keyed import SampleKey, stream_number
from src.degradation.keyed_images import keyed_noise
from src.diffusion.denoising import denoising_curve, unconditional_samples
from src.faces.grid import image_grid
from src.jobs.bench import faces_of, metric_context
from src.jobs.evaluate_run import cache_folder, load_benchmark
from src.jobs.evaluation import Faces, evaluate
from src.jobs.restorations import channels_first
from src.metrics.build import build_suite
from src.restorers.prior_file import LoadedPrior, load_prior
from src.settings.commands import TrainConfig

DISTRIBUTION = ["fid/gt", "kid/gt", "clean_fid/gt", "fd_mobilenetv2", "kd_mobilenetv2"]
"""Metrics that compare two sets of faces, whoever is on them."""
NOISE = stream_number("prior_evaluation")
GRID_COLUMNS = 8


@dataclass(frozen=True)
class SampledFaces:
    """Faces from pure noise, in the place of restored ones (`Restorations`)."""

    prior: LoadedPrior
    steps: int
    side: int
    device: torch.device
    seconds: list[float] = field(default_factory=list)
    diagnostics: dict[str, float] = field(default_factory=dict)
    megabytes: None = None

    def batch(self, indices: Sequence[int]) -> UInt8[Tensor, "b 3 s s"]:
        """Samples of these numbers, the same in any batch."""
        noise = _noise(indices, self.side, self.device)
        samples = unconditional_samples(self.prior.schedule, self.prior, noise, self.steps, clip=1.0)
        return to_levels(samples.clamp(-1, 1))


def evaluate_prior(config: TrainConfig, run: StoredRun, device: torch.device) -> dict[str, float]:
    """Error of the noise by timestep and distances of samples from held-out faces; written to denoising.json.

    As many samples as the benchmark has faces; `images/samples.png` shows the first.
    """
    prior = load_prior(run.weights_file("diffusion_prior")).to(device)
    benchmark = load_benchmark(config)
    curve = _curve(prior, benchmark, device, config.evaluation.batch_size)
    samples = SampledFaces(prior, config.diffusion_prior.sample_steps, benchmark.size, device)
    metrics = replace(config.metrics, measure=DISTRIBUTION, leave_out=[], primary=None)
    suite = build_suite(metrics, faces_of(benchmark), metric_context(metrics, device, cache_folder(config)))
    evaluation = evaluate(
        samples,
        benchmark,
        suite,
        batch_size=config.evaluation.batch_size,
        title="sample",
        progress=config.trainer.progress,
    )
    distances = dict(evaluation.result.per_set)
    content = {"mse": curve, "samples": distances, "n": len(benchmark), "steps": samples.steps}
    with atomic_path(run.folder / "denoising.json") as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")
    _write_samples(run.folder / "images" / "samples.png", evaluation.restored)
    print(_line(curve, distances, len(benchmark)), flush=True)
    return distances


def _noise(indices: Sequence[int], side: int, device: torch.device) -> Tensor:
    return keyed_noise([SampleKey(0, 0, index) for index in indices], NOISE, side, device)


def _curve(prior: LoadedPrior, benchmark: Benchmark, device: torch.device, batch_size: int) -> dict[int, float]:
    """Mean over the benchmark's faces."""
    clean = benchmark.clean_faces()
    totals: dict[int, float] = {}
    for start in range(0, len(clean), batch_size):
        indices = range(start, min(start + batch_size, len(clean)))
        faces = to_network(channels_first(clean[start : indices.stop]).to(device))
        part = denoising_curve(prior.schedule, prior, faces, _noise(indices, benchmark.size, device))
        totals = {timestep: totals.get(timestep, 0.0) + error * len(indices) for timestep, error in part.items()}
    return {timestep: total / len(clean) for timestep, total in totals.items()}


def _write_samples(path: Path, faces: Faces) -> None:
    rows = [list(faces[start : start + GRID_COLUMNS]) for start in range(0, len(faces), GRID_COLUMNS)]
    full = [row for row in rows if len(row) == GRID_COLUMNS] or rows[:1]
    write_png(path, image_grid(full, column_labels=[""] * len(full[0])))


def _line(curve: dict[int, float], distances: dict[str, float], n: int) -> str:
    errors = ", ".join(f"{error:.3g} at {timestep}" for timestep, error in curve.items())
    far = ", ".join(f"{name} {value:.3g}" for name, value in distances.items())
    compared = f"{n} samples against held-out faces: {far or 'no metric'}"
    return f"diffusion prior: error of the noise by timestep {errors}; {compared}"
