"""Writes offline runs as the suite does: a training run that was stopped and continued, and an evaluation that failed.

python -m tests.tracking.offline_runs FOLDER, in a process of its own: wandb keeps state for the life of a process.
"""

import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from src.settings.commands import LoggerSettings
from src.tracking.records import MetricValue, Record, StoredRecord, write_record
from src.tracking.wandb_checkpoint import log_checkpoint
from src.tracking.wandb_run import evaluation_run, finish, lightning_logger, log_evaluation

TRAIN_ID, EVALUATION_ID = "abc123", "eval99"
ITERATIONS = 500
SETTINGS = LoggerSettings(
    kind="wandb", project="suite", entity=None, mode="auto", tags=["mine", "tiny64"], checkpoint=False
)
RECORD = Record(
    study="sweep",
    arm="all_fixed",
    stage="cft",
    run="tiny64-all_fixed-s3",
    identity=TRAIN_ID,
    created="2030-01-01T00:00:00+00:00",
    question="",
    seed=3,
    restorer="codeformer",
    fidelity=0.5,
    adain=True,
    baseline=False,
    status="finished",
    reason=None,
    commit="0123",
    dirty=False,
    command="",
    config={},
    benchmark={"hash": "bench"},
    weights={},
    metrics={"psnr": MetricValue({"id": "psnr"}, 23.5, 2, 0, None)},
    knobs={"fidelity": 0.5, "adain": True},
)


def evaluated(folder: Path) -> list[StoredRecord]:
    """Records of one method at w 0.5 and of the input, with per-image values of two faces."""
    table = pd.DataFrame({"name": ["face_0", "face_1"], "psnr": [23.0, np.nan], "severity": [2.0, 16.0]})
    write_record(folder / "w0.5", RECORD, table, overwrite=True)
    baseline = replace(
        RECORD, arm="input", baseline=True, fidelity=None, metrics={"psnr": replace(RECORD.metrics["psnr"], value=20.0)}
    )
    return [StoredRecord(RECORD, folder / "w0.5"), StoredRecord(baseline, folder / "none")]


def faces() -> dict[str, dict[str, np.ndarray]]:
    """Two faces: black input and restoration, white truth."""
    black = np.zeros((8, 8, 3), np.uint8)
    return {name: {"LQ": black, "w=0.5": black, "HQ": black + 255} for name in ("face_0", "face_1")}


def train(folder: Path, first: int, last: int, *, ends: bool) -> None:
    """One process's share of a training run; the last one evaluates and logs the weights."""
    logger = lightning_logger(
        SETTINGS,
        run_dir=folder,
        run_id=TRAIN_ID,
        name="tiny-cft",
        group="sweep",
        job_type="cft",
        config={"seed": 3, "commit": "0123", "cft": {"adain": True}},
        tags=["cft", "tiny64", "synthetic_faces", "codeformer"],
    )
    for iteration in range(first, last):
        logger.log_metrics({"train/loss": 1.0 / (1 + iteration), "train/iteration": iteration}, step=2 * iteration)
    if ends:
        log_evaluation(logger.experiment, evaluated(folder), faces())
        weights = folder / "weights"
        weights.mkdir()
        (weights / "codeformer.safetensors").write_bytes(b"weights")
        (weights / ".partial").write_bytes(b"not to be seen")
        log_checkpoint(logger.experiment, weights, "cft all_fixed", upload=False, metadata={"arm": "all_fixed"})
        log_checkpoint(logger.experiment, weights / "codeformer.safetensors", "uploaded", upload=True)
    finish()


def main(folder: Path) -> None:
    """Write the runs below `folder`."""
    train(folder / "cft" / "run", 0, ITERATIONS // 2, ends=False)
    train(folder / "cft" / "run", ITERATIONS // 2, ITERATIONS, ends=True)
    with (
        suppress(ZeroDivisionError),
        evaluation_run(
            SETTINGS,
            folder=folder / "evaluations" / "broken",
            run_id=EVALUATION_ID,
            name="codeformer on nothing",
            group="sweep",
            config={"seed": 7},
        ) as run,
    ):
        run.summary["final/psnr"] = 1.0
        raise ZeroDivisionError


if __name__ == "__main__":
    main(Path(sys.argv[1]))
