"""The Weights & Biases view of a run: where it is written, how its axes are named, and what an evaluation adds.

Records are the truth (`src/tracking/records.py`); nothing here is read back.
"""

import netrc
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from jaxtyping import UInt8
from numpy import ndarray

from src.settings.commands import LoggerSettings
from src.settings.errors import UserError
from src.tracking.records import FACE_COLUMN, StoredRecord

if TYPE_CHECKING:
    from pytorch_lightning.loggers import WandbLogger

ITERATION = "train/iteration"
"""X-axis of all curves: Lightning's own step counts optimiser steps, two an iteration in GAN stages."""
FACES_TABLE = "final/faces"

_MODES = ("auto", "online", "offline")
_CONNECT_SECONDS = 30.0


def wandb_mode(settings: LoggerSettings) -> Literal["online", "offline"]:
    """Where a run goes; `auto` is online only with an API key (environment or netrc), unless WANDB_MODE says otherwise.

    Raises:
        UserError: an unknown mode, or `online` without an API key (wandb would stop and ask).
    """
    if settings.mode not in _MODES:
        raise UserError(f"logger.mode: {settings.mode!r} is not one of {', '.join(_MODES)}")
    account = _api_key_is_configured()
    if settings.mode == "online" and not account:
        raise UserError("logger.mode: 'online' needs an account; run `wandb login`, or take logger.mode=offline")
    forced_offline = os.environ.get("WANDB_MODE", "online") != "online"
    if settings.mode == "offline" or not account or (settings.mode == "auto" and forced_offline):
        return "offline"
    return "online"


def lightning_logger(
    settings: LoggerSettings, *, run_dir: Path, run_id: str, name: str, group: str, job_type: str, config: dict
) -> "WandbLogger":
    """A started W&B run for Lightning, written below `run_dir/wandb`; the caller calls `finish()` in a `finally`.

    An unreachable server costs a warning, not the run: it continues offline and can be sent later with `wandb sync`.

    Args:
        run_id: W&B id, from the run's identity, so that a continued run keeps its page.
        config: the resolved configuration with commit and seed.
    """
    from pytorch_lightning.loggers import WandbLogger
    from pytorch_lightning.utilities import rank_zero_only

    mode = wandb_mode(settings)
    _keep_files_beside(run_dir)
    run = None
    if not getattr(rank_zero_only, "rank", 0):
        about = {"id": run_id, "name": name, "group": group, "job_type": job_type, "config": config}
        run = _started(mode, settings, run_dir, about)
    return WandbLogger(experiment=run, project=settings.project, id=run_id, name=name, save_dir=str(run_dir))


def finish() -> None:
    """End the W&B run of this process, if there is one: a second logger would write into it (conventions.md 5.2)."""
    wandb = sys.modules.get("wandb")
    if wandb is not None and wandb.run is not None:
        wandb.finish()


def log_evaluation(
    run: Any, records: Sequence[StoredRecord], images: Mapping[str, Mapping[str, UInt8[ndarray, "h w 3"]]]
) -> None:
    """Write the final numbers and the fixed faces of an evaluation.

    The summary gets `final/<metric id>@w<fidelity>` for every record (`final/<metric id>@<arm>` for baselines); the
    table `final/faces` gets one row a face with its pictures and its per-image numbers.

    Args:
        run: a W&B run (`WandbLogger.experiment`).
        images: by face name, then by column in the order in which they are shown (LQ, one a fidelity, HQ); uint8 RGB.
    """
    for stored in records:
        for metric, measured in stored.record.metrics.items():
            if measured.value is not None:
                run.summary[f"final/{metric}@{_setting(stored)}"] = measured.value
    if images:
        run.log({FACES_TABLE: _faces(records, images)})


def _faces(records: Sequence[StoredRecord], images: Mapping[str, Mapping[str, UInt8[ndarray, "h w 3"]]]) -> Any:
    import wandb

    pictures = list(dict.fromkeys(column for row in images.values() for column in row))
    numbers = _numbers(records)
    columns: list[str | int] = ["name", *pictures, *numbers]
    table = wandb.Table(columns=columns)
    for face, row in images.items():
        shown = [wandb.Image(row[column]) if column in row else None for column in pictures]
        table.add_data(face, *shown, *(values.get(face) for values in numbers.values()))
    return table


def _numbers(records: Sequence[StoredRecord]) -> dict[str, dict[str, float]]:
    """`metric id@setting` to face name to value."""
    columns: dict[str, dict[str, float]] = {}
    for stored in records:
        table = stored.per_image()
        if table is None:
            continue
        for metric in table.columns.drop(FACE_COLUMN):
            values = table.set_index(FACE_COLUMN)[metric].dropna()
            columns[f"{metric}@{_setting(stored)}"] = {str(face): float(value) for face, value in values.items()}
    return columns


def _setting(stored: StoredRecord) -> str:
    record = stored.record
    if record.baseline or record.fidelity is None:
        return record.arm
    return f"w{record.fidelity:g}"


def _started(mode: Literal["online", "offline"], settings: LoggerSettings, run_dir: Path, about: dict[str, Any]) -> Any:
    import wandb

    try:
        run = _initialised(mode, settings, run_dir, about)
    except wandb.errors.Error as error:
        if mode == "offline":
            raise
        # The service that failed still holds the run's id.
        wandb.teardown()
        warnings.warn(
            f"W&B did not answer ({str(error).strip().splitlines()[0]}); the run continues offline, send it later with "
            f"`wandb sync {run_dir / 'wandb'}/offline-run-*`",
            stacklevel=4,
        )
        run = _initialised("offline", settings, run_dir, about)
    run.define_metric(ITERATION)
    run.define_metric("train/*", step_metric=ITERATION)
    run.define_metric("val/*", step_metric=ITERATION)
    return run


def _initialised(
    mode: Literal["online", "offline"], settings: LoggerSettings, run_dir: Path, about: dict[str, Any]
) -> Any:
    import wandb

    return wandb.init(
        **about,
        project=settings.project,
        entity=settings.entity,
        tags=list(settings.tags),
        dir=str(run_dir),
        mode=mode,
        resume="allow",
        settings=wandb.Settings(silent=True, init_timeout=_CONNECT_SECONDS),
    )


def _keep_files_beside(run_dir: Path) -> None:
    """Tables are staged outside the run's folder by default, and are lost when only that folder is copied."""
    folder = run_dir / "wandb"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["WANDB_DIR"] = str(run_dir)
    os.environ["WANDB_DATA_DIR"] = str(folder / "data")
    os.environ["WANDB_CACHE_DIR"] = str(folder / "cache")
    os.environ["WANDB_SILENT"] = "true"


def _api_key_is_configured() -> bool:
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).netloc
    return any(_has_login(path, host) for path in _netrc_files())


def _netrc_files() -> list[Path]:
    if path := os.environ.get("NETRC"):
        return [Path(path).expanduser()]
    return [Path.home() / ".netrc", Path.home() / "_netrc"]


def _has_login(path: Path, host: str) -> bool:
    try:
        return netrc.netrc(str(path)).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False
