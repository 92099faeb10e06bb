"""What `python -m src.evaluate` measures: a restorer at each of its settings, a folder of faces, and the degraded input."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from src.checkpoints.files import sha256_of
from src.data.benchmark import Benchmark
from src.jobs.check_evaluation import EXTERNAL, fidelities
from src.jobs.recording import Method, method_of
from src.jobs.restorations import ExternalFaces, Restorations, RestorerAtWork, external_faces
from src.restorers.base import Restorer
from src.restorers.chosen import ChosenRestorer, Setting
from src.restorers.identity import IdentityRestorer
from src.restorers.knobs import DRAWING, Knobs
from src.restorers.locate import resolve_checkpoints
from src.restorers.precision import choose_precision
from src.restorers.sampling import sampling_combinations
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
    """The restorer that a configuration names, at each of the settings that are asked for.

    Raises:
        UserError: there is no such restorer, or a checkpoint is missing or of another kind.
    """

    def __init__(self, config: EvaluateConfig, device: torch.device) -> None:
        self._config, self._device = config, device
        files = resolve_checkpoints(
            config.restorer, config.checkpoint, config.sampling.backbone, config.metrics.weights_dir
        )
        self._chosen = ChosenRestorer(config.restorer, files)
        settings = settings_of(config)
        self._first = None if config.restorer == EXTERNAL else self._built(settings[0])
        self._others = settings[1:]

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
        for setting in self._others:
            yield self._at_work(arm, self._built(setting), benchmark)

    def _built(self, setting: Setting) -> Restorer:
        return self._chosen.built(setting, self._device, choose_precision(self._config.precision, self._device))

    def _at_work(self, arm: str, restorer: Restorer, benchmark: Benchmark) -> Evaluated:
        work = RestorerAtWork(restorer, benchmark.lq, self._device)
        weights, licences = self._chosen.weights, self._chosen.licences
        return Evaluated(arm, setting_name(restorer.knobs), work, method_of(restorer), weights, licences)


def settings_of(config: EvaluateConfig) -> list[Setting]:
    """Every setting that a configuration asks for, the first one first."""
    if config.restorer in DRAWING:
        return [
            Setting(sampling=sampling)
            for sampling in sampling_combinations(config.sampling, config.restorer, [config.seed])
        ]
    weights = fidelities(config.fidelity)
    return [Setting(None if weight is None else float(weight), config.adain) for weight in weights]


def setting_name(knobs: Knobs) -> str:
    """Folder of a setting's record and heading of its pictures."""
    if "fidelity" in knobs:
        return f"w{knobs['fidelity']:g}"
    if "solver" not in knobs:
        return "restored"
    shown = [f"{knobs['solver']}", f"n{knobs['start']}", f"k{knobs['steps']}"]
    shown += [f"e{knobs['eta']:g}"] if "eta" in knobs else []
    shown += [f"{knobs['convention']}"] if "convention" in knobs else []
    shown += [f"t{knobs['tile']}"] if "tile" in knobs else []
    return "-".join([*shown, f"s{knobs['seed']}"])


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
