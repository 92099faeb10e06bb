"""Small trainings in forks of a process that has imported everything and computed nothing: a start costs no imports."""

import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from src.checkpoints.store import RunStatus
from src.config.compose import compose_train
from src.data import build_source
from src.degradation.engine import degrade
from src.jobs import train_run
from src.jobs.evaluate_run import cache_folder
from src.jobs.interruption import STOP
from src.jobs.quiet import quieten
from src.jobs.training_checkpoint import TrainingCheckpoint
from src.jobs.upstream import Upstreams
from src.settings.commands import TrainConfig
from tests.stages.small import OVERRIDES

SIZES = (
    "scale.autoencoder.multipliers=[1,2]",
    "scale.autoencoder.attention_sizes=[]",
    "scale.diffusion_unet.multipliers=[1,2]",
    "scale.diffusion_unet.residual_blocks=[1,1]",
    "scale.diffusion_unet.attention_sizes=[]",
    "scale.discriminator.layers=1",
)


def small(stage: str, iterations: int, every: int, *changes: str) -> TrainConfig:
    """A training of a second, with a checkpoint after every `every` iterations, over ten faces in batches of two."""
    return compose_train(
        [
            *OVERRIDES,
            *SIZES,
            f"stage={stage}",
            f"{stage}.training.iterations={iterations}",
            f"{stage}.training.batch_size=2",
            f"{stage}.training.checkpoint_every={every}",
            "data.identities=5",
            "data.images_per_identity=2",
            "data.validation_identities=2",
            "data.test_identities=2",
            "evaluation.shown_faces=1",
            "trainer.progress=False",
            "trainer.threads=1",
            "trainer.log_every=2",
            "trainer.images_every=24",
            "logger=none",
            *changes,
        ]
    )


def warm_up(config: TrainConfig) -> None:
    """Render and degrade faces here, so that no attempt has to render them or load compiled functions."""
    for split in ("train", "validation"):
        source = build_source(config.data, split=split, size=config.scale.image_size, cache=cache_folder(config))
        degrade(source.image(0), config.benchmark.degradation, seed=0, index=0)


def trained(config: TrainConfig, folder: Path) -> None:
    """Train in this process, as a job does."""
    quieten()
    train_run.git_commit = lambda: ("0" * 40, False)  # the weights bear it, and somebody may commit meanwhile
    status = RunStatus(config.stage, "0" * 64, folder.name, "running")
    with STOP.caught():
        train_run.train(config, folder, status, Upstreams(config, _train_nothing), None)


def _train_nothing(stage: str, seed: int) -> None:
    raise AssertionError(f"{stage} is missing")


class Training:
    """A fork of this process that trains; `prepare` is called in it before."""

    def __init__(self, config: TrainConfig, folder: Path, prepare: Callable[[], None] = lambda: None) -> None:
        self._begun, begun = os.pipe()
        self.number = os.fork()
        if self.number == 0:
            os._exit(_attempt(config, folder, prepare, begun))
        os.close(begun)

    def wait_for_first_iteration(self) -> None:
        """Return when it has trained one, or ended."""
        os.read(self._begun, 1)

    def send(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.number, number)

    def ended(self) -> int:
        """Exit status, or minus the number of the signal that killed it."""
        status = os.waitstatus_to_exitcode(os.waitpid(self.number, 0)[1])
        os.close(self._begun)
        return status


def _attempt(config: TrainConfig, folder: Path, prepare: Callable[[], None], begun: int) -> int:
    try:
        prepare()
        _tell_of_first_iteration(begun)
        trained(config, folder)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _tell_of_first_iteration(pipe: int) -> None:
    original = TrainingCheckpoint.on_train_batch_end

    def told(self: TrainingCheckpoint, *arguments: Any) -> None:
        TrainingCheckpoint.on_train_batch_end = original
        os.write(pipe, b".")
        original(self, *arguments)

    TrainingCheckpoint.on_train_batch_end = told
