"""Finished runs of DifFace's stages, untrained and small, in a run store."""

from dataclasses import replace
from pathlib import Path

from src.checkpoints.store import RunStatus, RunStore, StoredRun, write_status
from src.settings.commands import TrainConfig
from tests.stages.small import small_config, small_stage

SMALL_DATA = [
    "data.identities=8",
    "data.images_per_identity=2",
    "data.validation_identities=2",
    "data.test_identities=4",
    "benchmark.count=6",
    "trainer.progress=False",
]


def small_job(variant: str, store: Path, *changes: str) -> TrainConfig:
    """Configuration of one of `VARIANTS` on few rendered faces."""
    return replace(small_config(variant, 1, *SMALL_DATA, *changes), run_store=str(store))


def finished_run(config: TrainConfig) -> StoredRun:
    """The stage's weights as they begin, in the run store."""
    folder = RunStore(Path(config.run_store)).folder(config.stage, "untrained")
    weights = small_stage(config).save_weights(folder / "weights", {})
    return write_status(folder, RunStatus(config.stage, "0" * 10, "untrained", "finished", weights=weights))
