"""Restores aligned faces: `python -m src.restore input=faces output=restored checkpoint=<run> fidelity=0.7`."""

import sys
from pathlib import Path
from typing import cast

import hydra
from omegaconf import DictConfig, OmegaConf

from src.config.command import friendly_errors
from src.config.schema import register
from src.restorers.face_files import FaceFile, plan_faces
from src.restorers.knobs import LEARNED, checked_fidelity, checked_kind
from src.restorers.locate import resolve_checkpoint
from src.settings.commands import RestoreConfig
from src.settings.errors import UserError

DEVICES = ("auto", "cpu", "cuda")

register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="restore")
@friendly_errors
def main(config: DictConfig) -> None:
    """Exit status 0, 1 if some files could not be read, 2 if nothing could be done."""
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise UserError(f"{', '.join(missing)}: not given; write for example {missing[0]}=<path>")
    sys.exit(restore(cast(RestoreConfig, OmegaConf.to_object(config))))


def restore(config: RestoreConfig) -> int:
    """Write the restored faces, a side-by-side grid and a report into `config.output`; the exit status of the command.

    Raises:
        UserError: a setting, the input, the output or the checkpoint is wrong, or no file could be read.
    """
    checkpoint, files = _validated(config)
    # Torch is imported only now, so that a mistake is told at once.
    from src.restorers.batches import restore_files
    from src.restorers.build import build_restorer
    from src.restorers.device import torch_device
    from src.restorers.report import Report

    device = torch_device(config.device)
    restorer = build_restorer(config.restorer, str(checkpoint), config.fidelity, config.adain, device)
    report = Report(Path(config.output).expanduser())
    outcomes = restore_files(restorer, files, batch_size=config.batch_size, device=device, progress=config.progress)
    for outcome in outcomes:
        report.add(outcome)
    report.write(restorer, checkpoint, str(device))
    print(report.summary())
    for problem in report.problems:
        print(f"not restored: {problem}", file=sys.stderr)
    return 1 if report.problems else 0


def _validated(config: RestoreConfig) -> tuple[Path | None, list[FaceFile]]:
    """The weights file and the planned faces; everything that can be checked without torch is."""
    if config.batch_size < 1:
        raise UserError(f"batch_size: {config.batch_size} must be 1 or more")
    if config.device not in DEVICES:
        raise UserError(f"device: {config.device!r} is not one of {', '.join(DEVICES)}")
    checked_fidelity(config.fidelity)
    learned = checked_kind(config.restorer) in LEARNED
    files = plan_faces(config.input, config.output, overwrite=config.overwrite)
    return (resolve_checkpoint(config.checkpoint, config.restorer) if learned else None), files


if __name__ == "__main__":
    main()
