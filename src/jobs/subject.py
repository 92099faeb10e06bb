"""One thing that the evaluation of a training measures, and what it is made from."""

from dataclasses import dataclass, field

import torch

from src.checkpoints.store import StoredRun
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
