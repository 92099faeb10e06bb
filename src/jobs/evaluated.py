"""What `python -m src.evaluate` measures: a restorer at each of its settings, a folder of faces, and the degraded input."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from src.checkpoints.files import sha256_of
from src.checkpoints.network_file import is_network_file, load_network
from src.data.benchmark import Benchmark
from src.data.levels import to_network
from src.jobs.check_evaluation import EXTERNAL, fidelities
from src.jobs.recording import Method, method_of
from src.jobs.restorations import ExternalFaces, Restorations, RestorerAtWork, channels_first, external_faces
from src.restorers.base import Restorer
from src.restorers.chosen import ChosenRestorer, Setting
from src.restorers.identity import IdentityRestorer
from src.restorers.knobs import DIFFACE, DRAWING, Knobs
from src.restorers.latent_sampling import latent_sampling_combinations
from src.restorers.locate import resolve_checkpoints
from src.restorers.precision import choose_precision
from src.restorers.published_guide import with_published_guide
from src.restorers.sampling import sampling_combinations
from src.settings.commands import EvaluateConfig
from src.settings.errors import UserError

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
        weights_dir = config.metrics.weights_dir
        files = resolve_checkpoints(config.restorer, config.checkpoint, config.sampling.backbone, weights_dir)
        self._chosen = ChosenRestorer(config.restorer, with_published_guide(files, weights_dir))
        self._benchmark: Benchmark | None = None
        settings = settings_of(config)
        self._first = None if config.restorer == EXTERNAL else self._built(settings[0])
        self._others = settings[1:]

    @property
    def image_size(self) -> int | None:
        """Side of the faces that it was built for; None where it takes any."""
        return None if self._first is None else self._first.image_size

    @property
    def guide(self) -> tuple[nn.Module, str] | None:
        """The recogniser of this suite that guides, with the SHA-256 of its file; None where none does."""
        path = self._chosen.files.get("guide")
        if path is None or not is_network_file(path):
            return None
        return load_network(path).network, self._chosen.weights["guide"]

    @property
    def weights(self) -> dict[str, str]:
        """SHA-256 of the files of its networks, by name."""
        return self._chosen.weights

    def evaluated(self, benchmark: Benchmark) -> Iterator[Evaluated]:
        """What is measured, each built when the one before is done.

        Raises:
            UserError: faces restored elsewhere do not match the benchmark's, or guidance asks for clean faces and there are
                none.
        """
        self._benchmark = benchmark
        if benchmark.hq is None and any(_asks_oracle(setting) for setting in settings_of(self._config)):
            raise UserError(
                "guidance.target: oracle leads to the clean faces, and this benchmark has none; take recovered or input"
            )
        arm = self._config.label or self._config.restorer
        if self._first is None:
            faces = external_faces(Path(self._config.root or "").expanduser(), benchmark)
            yield Evaluated(arm, "restored", faces, Method(EXTERNAL), {"files": _hash_of(faces)})
            return
        yield self._at_work(arm, self._first, benchmark)
        for setting in self._others:
            yield self._at_work(arm, self._built(setting), benchmark)

    def _built(self, setting: Setting) -> Restorer:
        precision = choose_precision(self._config.precision, self._device)
        return self._chosen.built(setting, self._device, precision, self._clean_faces)

    def _clean_faces(self, keys: Sequence[int]) -> Float[Tensor, "b 3 s s"]:
        """Faces of the benchmark by their places, which are their keys, in [-1, 1]."""
        assert self._benchmark is not None
        assert self._benchmark.hq is not None
        return to_network(channels_first(self._benchmark.hq[list(keys)]).to(self._device))

    def _at_work(self, arm: str, restorer: Restorer, benchmark: Benchmark) -> Evaluated:
        work = RestorerAtWork(restorer, benchmark.lq, self._device)
        weights, licences = self._chosen.weights, self._chosen.licences
        return Evaluated(arm, setting_name(restorer.knobs), work, method_of(restorer), weights, licences)


def _asks_oracle(setting: Setting) -> bool:
    sampling = setting.latent_sampling
    return sampling is not None and sampling.guidance.scale > 0 and sampling.guidance.target == "oracle"


def settings_of(config: EvaluateConfig) -> list[Setting]:
    """Every setting that a configuration asks for, the first one first."""
    if config.restorer in DIFFACE:
        return [
            Setting(sampling=sampling)
            for sampling in sampling_combinations(config.sampling, config.restorer, [config.seed])
        ]
    if config.restorer in DRAWING:
        combinations = latent_sampling_combinations(config.sampling, config.guidance, [config.seed])
        return [Setting(latent_sampling=sampling) for sampling in combinations]
    weights = fidelities(config.fidelity)
    return [Setting(None if weight is None else float(weight), config.adain) for weight in weights]


def setting_name(knobs: Knobs) -> str:
    """Folder of a setting's record and heading of its pictures."""
    if "fidelity" in knobs:
        return f"w{knobs['fidelity']:g}"
    if "solver" not in knobs:
        return "restored"
    start = f"t{knobs['start']:g}" if "scale" in knobs else f"n{knobs['start']}"
    shown = [f"{knobs['solver']}", start, f"k{knobs['steps']}"]
    shown += [f"e{knobs['eta']:g}"] if "eta" in knobs else []
    shown += list(_guidance(knobs)) if "scale" in knobs else []
    shown += [f"{knobs['convention']}"] if "convention" in knobs else []
    shown += [f"t{knobs['tile']}"] if "tile" in knobs else []
    return "-".join([*shown, f"s{knobs['seed']}"])


def _guidance(knobs: Knobs) -> Iterator[str]:
    """How CLR-Face was guided; what is at its usual value is no knob."""
    yield f"g{knobs['scale']:g}"
    yield from (str(knobs[name]) for name in ("mask", "target", "gradient") if name in knobs)
    yield from (f"{name}{knobs[name]}" for name in ("constraint", "window", "every", "limit") if name in knobs)


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
