"""One thing that the evaluation of a training measures, and what it is made from."""

from dataclasses import dataclass, field
from pathlib import Path

import torch

from src.checkpoints.store import StoredRun
from src.config.identity import arm_label
from src.data.benchmark import Benchmark
from src.jobs.recording import Provenance
from src.jobs.restorations import Faces
from src.jobs.upstream import Upstreams
from src.restorers.base import Restorer
from src.settings.commands import TrainConfig


@dataclass(frozen=True)
class Subject:
    """One thing to evaluate: a restorer, what it is fed with and where its record goes."""

    arm: str
    folder: str
    restorer: Restorer
    inputs: Faces
    column: str
    """Heading of its pictures."""
    is_baseline: bool
    weights: dict[str, str]
    """SHA-256 of the networks at work."""
    diagnostics: dict[str, float] = field(default_factory=dict)
    """How the method worked (`Record.diagnostics`)."""


@dataclass(frozen=True)
class Trained:
    """A finished training with what its evaluation needs."""

    config: TrainConfig
    run: StoredRun
    upstreams: Upstreams
    provenance: Provenance
    benchmark: Benchmark
    device: torch.device


def record_stem(config: TrainConfig) -> str:
    """Folder of a run's records in its study: a new run of the same arm, scale, seed and benchmark replaces the old one's."""
    return f"{arm_label(config)}-{suffix(config)}-s{config.seed}"


def suffix(config: TrainConfig) -> str:
    """Scale and benchmark, as folders of records name them."""
    root = config.benchmark.root
    return f"{config.scale.name}-{config.benchmark.degradation.name if root is None else Path(root).name}"
