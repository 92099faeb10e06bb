"""Finds the networks that a stage builds on, and has missing ones trained first. Imports no torch."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path

from src.checkpoints.catalogue import licence_of
from src.checkpoints.files import sha256_of
from src.checkpoints.store import BUNDLED, RunStore, StoredRun, read_run
from src.config.identity import SIZES_OF_STAGE, effective_config, identity
from src.config.stage_order import has_trained_guide, is_rendered, upstream_of
from src.data import build_source
from src.jobs.difface_settings import grids_of
from src.restorers.locate import resolve_checkpoints
from src.settings.commands import TrainConfig
from src.settings.errors import UserError

WEIGHTS_OF_STAGE = {
    "vqgan": "vqgan",
    "code_predictor": "codeformer",
    "recogniser": "recogniser",
    "cft": "codeformer",
    "diffusion_prior": "diffusion_prior",
    "restoration_backbone": "restoration_backbone",
    "landmark_detector": "landmark_detector",
    "registration": "registration",
    "texture_fusion": "texture_fusion",
    "latent_vqgan": "latent_autoencoder",
    "latent_encoder": "latent_encoder",
    "latent_score": "latent_score",
    "guide_recogniser": "guide_recogniser",
    "identity_recovery": "identity_recovery",
    "latent_mask": "latent_mask",
}
"""The network whose hash stands for a stage."""
_RESTORE_NOTHING = ("recogniser", "guide_recogniser", "diffusion_prior", "landmark_detector", "registration")

RENDERED_LANDMARKS = "rendered68"
"""Landmarks of this suite's own detector, as definitions of metrics name them."""
SHARED_SEED = 0
CONFIG_FILE = "config.json"
"""The effective configuration, in the run's folder."""

SEARCHED = ("auto", "bundled", "train")
"""Choices of `upstream.*` that are searched for; another value is the path of a run folder."""

TrainMissing = Callable[[str, int], None]
"""Trains the named stage with a seed to the end, in a process of its own."""


_fingerprints: dict[str, str] = {}


def data_fingerprint(config: TrainConfig) -> str:
    """Hash of the training faces; computed once a process, because a folder has to be read for it."""
    key = json.dumps([asdict(config.data), config.scale.image_size], sort_keys=True)
    if key not in _fingerprints:
        source = build_source(config.data, split="train", size=config.scale.image_size, cache=None)
        _fingerprints[key] = source.fingerprint()
    return _fingerprints[key]


def restores_nothing(config: TrainConfig) -> bool:
    """Whether the stage's network makes no faces of faces, so that no benchmark can measure it."""
    embeds = config.stage == "identity_recovery" and config.identity_recovery.output == "embedding"
    return embeds or config.stage in _RESTORE_NOTHING


def needs_recogniser(config: TrainConfig) -> bool:
    """Rendered faces are recognised by the recogniser trained on them; photographs by published networks."""
    return is_rendered(config) and (config.stage == "registration" or not restores_nothing(config))


def needs_landmark_detector(config: TrainConfig) -> bool:
    """Landmarks of rendered faces are found by the detector trained on them; of photographs by published networks."""
    if not is_rendered(config):
        return False
    if config.stage in ("registration", "texture_fusion"):
        return True
    return not restores_nothing(config) and _measures_landmarks(config)


def _measures_landmarks(config: TrainConfig) -> bool:
    metrics = config.metrics
    by_detector = [name for name, kind in metrics.definitions.items() if kind.get("landmarks") == RENDERED_LANDMARKS]
    asked = [name for name in by_detector if any(fnmatch(name, pattern) for pattern in metrics.measure)]
    return any(not any(fnmatch(name, pattern) for pattern in metrics.leave_out) for name in asked)


def needs_prior(config: TrainConfig) -> bool:
    """A restoration backbone is trained by itself, and evaluated alone and under the prior."""
    return config.stage == "restoration_backbone" and bool(grids_of(config))


def needed_stages(config: TrainConfig) -> tuple[str, ...]:
    """Stages whose networks the training or the evaluation of `config.stage` uses."""
    return tuple(dict.fromkeys(upstream_of(config, config.stage) + measured_with(config)))


def measured_with(config: TrainConfig) -> tuple[str, ...]:
    """Stages that the evaluation uses; their seed is `SHARED_SEED`, so that all seeds of a study are measured alike."""
    prior = ("diffusion_prior",) if needs_prior(config) else ()
    detector = ("landmark_detector",) if needs_landmark_detector(config) else ()
    guide = ("guide_recogniser",) if has_trained_guide(config, config.stage) else ()
    return prior + detector + guide + (("recogniser",) if needs_recogniser(config) else ())


def seed_of(config: TrainConfig, stage: str) -> int:
    """Seed of the run of `stage` that this configuration uses."""
    return SHARED_SEED if stage in measured_with(config) else config.seed


@dataclass
class Upstreams:
    """Resolves `upstream.*` of a configuration; asks `train_missing` for what no store has."""

    config: TrainConfig
    train_missing: TrainMissing
    _found: dict[str, StoredRun] = field(default_factory=dict)
    _fingerprint: str | None = None

    def of(self, stage: str) -> StoredRun:
        """The run that provides `stage` for this configuration.

        Raises:
            UserError: a named run does not exist, or is not a finished run of that stage.
        """
        if stage not in self._found:
            self._found[stage] = self._resolve(stage)
        return self._found[stage]

    def ingredients(self, stage: str) -> dict[str, str]:
        """Hashes of everything that the training of `stage` is fed with."""
        networks = {name: network_hash(self.of(name)) for name in upstream_of(self.config, stage)}
        plugged = self.generative_networks() if stage in ("registration", "texture_fusion") else {}
        return {"data": self._faces(), **networks, **plugged}

    def _faces(self) -> str:
        if self._fingerprint is None:
            self._fingerprint = data_fingerprint(self.config)
        return self._fingerprint

    def generative_networks(self) -> dict[str, str]:
        """Hashes of the weights of another restorer than CodeFormer that makes the generative branch."""
        return {f"generative_{network}": sha256_of(path) for network, path in generative_files(self.config).items()}

    def branch_networks(self) -> dict[str, str]:
        """Hashes of the faces, and of the networks that make their branches."""
        return {"data": self._faces(), "cft": network_hash(self.of("cft")), **self.generative_networks()}

    def landmark_source(self) -> str:
        """What finds landmarks: the hash of the detector of rendered faces, else MTCNN's name."""
        return network_hash(self.of("landmark_detector")) if is_rendered(self.config) else "mtcnn5"

    def licences(self, stage: str) -> dict[str, str]:
        """Licences of the published networks on which `stage` is built; they go on to what is trained on them."""
        found = {name: self.of(name).status.facts.get("licences", {}) for name in upstream_of(self.config, stage)}
        flat = {f"{name}/{kind}": licence for name, kinds in found.items() for kind, licence in kinds.items()}
        plugged = generative_files(self.config) if stage in ("registration", "texture_fusion") else {}
        of_files = {network: licence_of(path, sha256_of(path)) for network, path in plugged.items()}
        return flat | {f"generative/{network}": text for network, text in of_files.items() if text is not None}

    def identity_of(self, stage: str) -> str:
        """Identity of the run of `stage` under this configuration."""
        config = replace(self.config, stage=stage, seed=seed_of(self.config, stage))
        return identity(effective_config(config), self.ingredients(stage))

    def _resolve(self, stage: str) -> StoredRun:
        choice = getattr(self.config.upstream, stage)
        if choice not in SEARCHED:
            return _named_run(self.config, Path(choice), stage)
        wanted = self.identity_of(stage)
        found = self._search(stage, wanted, choice)
        if found is None:
            if choice == "bundled":
                raise UserError(
                    f"upstream.{stage}: bundled, but the repository carries no {stage} for scale {self.config.scale.name}, "
                    f"this data and these settings; use upstream.{stage}=auto to train one"
                )
            self.train_missing(stage, seed_of(self.config, stage))
            found = self._search(stage, wanted, "train")
        if found is None:
            raise UserError(
                f"upstream.{stage}: training it gave no finished run; run `python -m src.train stage={stage}` to see why"
            )
        return found

    def _search(self, stage: str, wanted: str, choice: str) -> StoredRun | None:
        stores = {
            "auto": [self._run_store, RunStore(BUNDLED)],
            "bundled": [RunStore(BUNDLED)],
            "train": [self._run_store],
        }
        return next((run for store in stores[choice] if (run := store.find(stage, wanted))), None)

    @property
    def _run_store(self) -> RunStore:
        return RunStore(Path(self.config.run_store))


def generative_files(config: TrainConfig) -> dict[str, Path]:
    """Weights of another restorer than CodeFormer that makes the generative branch.

    Raises:
        UserError: they are missing.
    """
    branches = config.branches
    if branches.generative == "codeformer":
        return {}
    text, backbone = branches.checkpoint or "", branches.sampling.backbone
    return resolve_checkpoints(branches.generative, text, backbone, config.metrics.weights_dir)


def network_hash(run: StoredRun) -> str:
    """SHA-256 of the network that the run's stage trained."""
    return run.status.weights[WEIGHTS_OF_STAGE[run.status.stage]]


def check_given(config: TrainConfig) -> None:
    """Look at the faces, the frozen benchmark and the named upstream runs, before anything is trained or written.

    Raises:
        UserError: the faces cannot be read, a file of the benchmark differs, or a named run does not exist or does not fit.
    """
    data_fingerprint(config)
    if config.benchmark.root is not None:
        from src.data.benchmark_layouts import open_benchmark

        open_benchmark(Path(config.benchmark.root), config.scale.image_size).clean_faces()
    if config.stage in ("registration", "texture_fusion"):
        generative_files(config)
    for stage in needed_stages(config):
        choice = getattr(config.upstream, stage)
        if choice not in SEARCHED:
            _named_run(config, Path(choice), stage)


def _named_run(config: TrainConfig, folder: Path, stage: str) -> StoredRun:
    key = f"upstream.{stage}"
    command = f"python -m src.train stage={stage}"
    if not folder.is_dir():
        raise UserError(
            f"{key}: the folder {folder} does not exist; give a run folder, auto, bundled or train ({command})"
        )
    run = read_run(folder)
    if run is None or not run.is_finished or run.status.stage != stage:
        found = "no run" if run is None else f"a {run.status.state} run of stage {run.status.stage}"
        raise UserError(
            f"{key}: {folder} holds {found}, expected a finished run of stage {stage}; make one with {command}"
        )
    _check_sizes(key, run, config)
    return run


def _check_sizes(key: str, run: StoredRun, config: TrainConfig) -> None:
    """Compare the sizes that both stages depend on, before anything is trained or written (the weights are read later)."""
    path = run.folder / CONFIG_FILE
    if not path.is_file():
        return
    found = json.loads(path.read_text()).get("scale", {})
    expected = effective_config(config)["scale"]
    # The prior shares no network with the backbone, but the faces.
    both = set(SIZES_OF_STAGE[config.stage]) & set(SIZES_OF_STAGE[run.status.stage])
    shared = {"image_size"} | both & set(expected)
    differing = sorted(name for name in shared if found.get(name) != expected[name])
    if differing:
        raise UserError(
            f"{key}: {run.folder} was trained at scale {found.get('name')}, whose {', '.join(differing)} differ from "
            f"scale {config.scale.name}; choose the scale that it was trained at, or another upstream"
        )
