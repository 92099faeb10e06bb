"""Evaluates recognisers and landmark detector on people they have never seen, clean and degraded."""

import json
import math
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from src.checkpoints.files import atomic_path
from src.checkpoints.network_file import load_network
from src.checkpoints.store import StoredRun
from src.data import build_source
from src.data.benchmark import Benchmark
from src.data.levels import to_network
from src.data.rendered_truth import truth_of
from src.jobs.evaluate_run import cache_folder, load_benchmark
from src.jobs.restorations import Faces, channels_first
from src.metrics.landmark_networks import UNIT_SIDE
from src.metrics.verification import area_under_curve, pair_cosines
from src.settings.commands import TrainConfig

WHOLE_SPLIT = 2**31
"""More faces than any split has: pairs of one person come from several pictures of each identity."""


def evaluate_recogniser(config: TrainConfig, run: StoredRun, device: torch.device) -> dict[str, float]:
    """Area under the ROC curve and mean cosines over all pairs of the split; written to verification.json.

    Of stage `recogniser` or `guide_recogniser`. What needs a pair that the split lacks, two pictures of one person or of two
    people, is null in the file and left out of what is returned.
    """
    network = load_network(run.weights_file(config.stage)).network.to(device)
    benchmark = load_benchmark(replace(config, benchmark=replace(config.benchmark, count=WHOLE_SPLIT)))
    numbers = {
        **{
            f"clean_{name}": value
            for name, value in _verify(network, benchmark.clean_faces(), benchmark, device).items()
        },
        **{f"degraded_{name}": value for name, value in _verify(network, benchmark.lq, benchmark, device).items()},
    }
    measured = {name: value for name, value in numbers.items() if math.isfinite(value)}
    absent = dict.fromkeys(name for name in numbers if name not in measured)
    with atomic_path(run.folder / "verification.json") as temporary:
        temporary.write_text(json.dumps({**numbers, **absent, "faces": len(benchmark)}, indent=2) + "\n")
    shown = [f"{name} {value:.3f}" for name, value in measured.items()]
    lacking = [f"no pair of faces for {', '.join(absent)}"] if absent else []
    print(f"{config.stage}: {', '.join([*shown, *lacking])}", flush=True)
    return measured


def evaluate_landmark_detector(config: TrainConfig, run: StoredRun, device: torch.device) -> dict[str, float]:
    """Mean distance from the exact landmarks on held-out rendered faces, clean and degraded, in pixels of a face of 512;
    written to verification.json.

    Raises:
        UserError: the faces have no exact landmarks.
    """
    network = load_network(run.weights_file("landmark_detector")).network.to(device)
    # Cut from the rendered faces whatever else is measured on: only their landmarks are known.
    benchmark = load_benchmark(replace(config, benchmark=replace(config.benchmark, root=None)))
    side = benchmark.size
    source = build_source(config.data, split=config.benchmark.split, size=side, cache=cache_folder(config))
    truth = truth_of(source)
    exact = np.stack([truth.landmarks68(index) for index in range(len(benchmark))])
    numbers: dict[str, float] = {}
    for name, faces in (("clean", benchmark.clean_faces()), ("degraded", benchmark.lq)):
        distances = np.linalg.norm(_embed(network, faces, device) - exact, axis=2).mean(1) * UNIT_SIDE / side
        numbers |= {f"{name}_error": float(distances.mean()), f"{name}_error_p95": float(np.quantile(distances, 0.95))}
    with atomic_path(run.folder / "verification.json") as temporary:
        temporary.write_text(json.dumps(numbers | {"faces": len(benchmark)}, indent=2) + "\n")
    print("landmark_detector: " + ", ".join(f"{name} {value:.2f}" for name, value in numbers.items()), flush=True)
    return numbers


def _verify(network: nn.Module, faces: Faces, benchmark: Benchmark, device: torch.device) -> dict[str, float]:
    cosines, same = pair_cosines(_embed(network, faces, device), benchmark.identities)
    return {
        "auc": area_under_curve(cosines, same),
        "cosine_same": float(cosines[same].mean()) if same.any() else float("nan"),
        "cosine_different": float(cosines[~same].mean()) if (~same).any() else float("nan"),
    }


@torch.inference_mode()
def _embed(network: nn.Module, faces: Faces, device: torch.device) -> np.ndarray:
    batches = channels_first(faces).split(64)
    return torch.cat([network(to_network(batch.to(device))).cpu() for batch in batches]).double().numpy()
