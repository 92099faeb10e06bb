"""Evaluates an identity recovery that gives embeddings alone: how near they come to those of the clean faces."""

import json

import torch

from src.checkpoints.files import atomic_path
from src.checkpoints.store import StoredRun
from src.data.levels import to_network
from src.jobs.build_clr_face import load_regressor
from src.jobs.evaluate_run import load_benchmark
from src.jobs.evaluation import Faces
from src.jobs.guiding_recogniser import guiding_recogniser
from src.jobs.restorations import channels_first
from src.jobs.upstream import Upstreams
from src.settings.commands import TrainConfig


@torch.inference_mode()
def evaluate_recovered_embedding(
    config: TrainConfig, run: StoredRun, upstreams: Upstreams, device: torch.device
) -> dict[str, float]:
    """Mean cosine of the guide's embedding of the clean face with the recovered one, and with its own of the degraded face.

    On the benchmark's faces; written to verification.json.
    """
    recovery = load_regressor(run.weights_file("identity_recovery")).to(device)
    guide = guiding_recogniser(config, upstreams).to(device)
    benchmark = load_benchmark(config)
    found: dict[str, list[torch.Tensor]] = {"recovered_cosine": [], "degraded_cosine": []}
    size = config.evaluation.batch_size
    for start in range(0, len(benchmark), size):
        clean, degraded = (
            _faces(faces[start : start + size], device) for faces in (benchmark.clean_faces(), benchmark.lq)
        )
        truth = guide.embed(clean)
        for name, embedding in (
            ("recovered_cosine", recovery.embedding(degraded, guide.embed)),
            ("degraded_cosine", guide.embed(degraded)),
        ):
            found[name].append((embedding * truth).sum(1))
    numbers = {name: float(torch.cat(parts).mean()) for name, parts in found.items()}
    with atomic_path(run.folder / "verification.json") as temporary:
        temporary.write_text(json.dumps(numbers | {"faces": len(benchmark), "guide": guide.name}, indent=2) + "\n")
    print("identity_recovery: " + ", ".join(f"{name} {value:.3f}" for name, value in numbers.items()), flush=True)
    return numbers


def _faces(faces: Faces, device: torch.device) -> torch.Tensor:
    return to_network(channels_first(faces).to(device))
