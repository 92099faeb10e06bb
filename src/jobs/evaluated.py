"""What `python -m src.evaluate` measures: a restorer at each of its settings, a folder of faces, and the degraded input."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from src.checkpoints.catalogue import licence_of
from src.checkpoints.files import sha256_of
from src.data.benchmark import Benchmark
from src.jobs.check_evaluation import EXTERNAL, fidelities
from src.jobs.recording import Method, method_of
from src.jobs.restorations import ExternalFaces, Restorations, RestorerAtWork, external_faces
from src.restorers.base import Restorer
from src.restorers.build import build_restorer, resolve_checkpoint
from src.restorers.identity import IdentityRestorer
from src.restorers.knobs import LEARNED
from src.restorers.precision import choose_precision
from src.settings.commands import EvaluateConfig

INPUT = "input"


@dataclass(frozen=True)
class Evaluated:
    """Faces restored in one way."""

    arm: str
    setting: str
    """Folder of its record below the arm's, and heading of its pictures."""
    restorations: Restorations
    method: Method
    weights: dict[str, str] = field(default_factory=dict)
    """SHA-256 of what restored: a checkpoint, or the files of faces restored elsewhere."""
    licences: dict[str, str] = field(default_factory=dict)
    baseline: bool = False


class Candidate:
    """The restorer that a configuration names, built once for each fidelity that is asked for.

    Raises:
        UserError: there is no such restorer, or its checkpoint is missing or of another kind.
    """

    def __init__(self, config: EvaluateConfig, device: torch.device) -> None:
        self._config, self._device = config, device
        learned = config.restorer in LEARNED
        self._checkpoint = (
            resolve_checkpoint(config.checkpoint, config.restorer, config.metrics.weights_dir) if learned else None
        )
        # Once for all settings: a published checkpoint has 377 MB.
        self._sha256 = None if self._checkpoint is None else sha256_of(self._checkpoint)
        weights = fidelities(config.fidelity)
        self._first = None if config.restorer == EXTERNAL else self._built(weights[0])
        self._others = weights[1:]

    @property
    def image_size(self) -> int | None:
        """Side of the faces that it was built for; None where it takes any."""
        return None if self._first is None else self._first.image_size

    def evaluated(self, benchmark: Benchmark) -> Iterator[Evaluated]:
        """What is measured, each built when the one before is done.

        Raises:
            UserError: faces restored elsewhere do not match the benchmark's.
        """
        arm = self._config.label or self._config.restorer
        if self._first is None:
            faces = external_faces(Path(self._config.root or "").expanduser(), benchmark)
            yield Evaluated(arm, "restored", faces, Method(EXTERNAL), {"files": _hash_of(faces)})
            return
        yield self._at_work(arm, self._first, benchmark)
        for fidelity in self._others:
            yield self._at_work(arm, self._built(fidelity), benchmark)

    def _built(self, fidelity: int | float | None) -> Restorer:
        config = self._config
        precision = choose_precision(config.precision, self._device)
        weight = None if fidelity is None else float(fidelity)
        return build_restorer(
            config.restorer, str(self._checkpoint or ""), weight, config.adain, self._device, precision
        )

    def _at_work(self, arm: str, restorer: Restorer, benchmark: Benchmark) -> Evaluated:
        fidelity = restorer.knobs.get("fidelity")
        weights, licences = {}, {}
        if self._sha256 is not None:
            weights = {restorer.name: self._sha256}
            licence = licence_of(self._checkpoint, self._sha256)
            licences = {restorer.name: licence} if licence else {}
        setting = "restored" if fidelity is None else f"w{fidelity:g}"
        work = RestorerAtWork(restorer, benchmark.lq, self._device)
        return Evaluated(arm, setting, work, method_of(restorer), weights, licences)


def degraded_input(benchmark: Benchmark, device: torch.device) -> Evaluated:
    """The baseline that a method must beat."""
    restorer = IdentityRestorer()
    work = RestorerAtWork(restorer, benchmark.lq, device)
    return Evaluated(INPUT, INPUT, work, method_of(restorer), baseline=True)


def _hash_of(faces: ExternalFaces) -> str:
    digest = hashlib.sha256()
    for path in faces.files:
        digest.update(sha256_of(path).encode())
    return digest.hexdigest()
