"""Restores the faces of photos and videos: `python -m src.restore input=photos output=restored checkpoint=<file>`."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import hydra
from omegaconf import DictConfig, OmegaConf
from tqdm import tqdm

from src.config.command import friendly_errors
from src.config.schema import register
from src.photos.check import check_settings
from src.photos.plan import PhotoFile, plan_photos
from src.restorers.locate import resolve_checkpoints
from src.settings.errors import UserError
from src.settings.printable import one_line
from src.settings.restore import RestoreConfig

if TYPE_CHECKING:
    from src.photos.build import BuiltRestoration
    from src.photos.restoration import Outcome

PATH_KEYS = (
    "input",
    "output",
    "checkpoint",
    "sampling.backbone",
    "weights_dir",
    "detector_weights",
    "parsing_weights",
    "background_weights",
)

register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="restore")
@friendly_errors
def main(config: DictConfig) -> None:
    """Exit status 0, 1 if some inputs could not be read, 2 if nothing could be done."""
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise UserError(f"{', '.join(missing)}: not given; write for example {missing[0]}=<path>")
    sys.exit(restore(cast(RestoreConfig, OmegaConf.to_object(config))))


def restore(config: RestoreConfig) -> int:
    """Write results, faces, comparisons and reports into `config.output`; the exit status of the command.

    Raises:
        UserError: a setting, the input, the output or the checkpoint is wrong, or nothing could be read.
    """
    check_settings(config)
    photos = plan_photos(config.input, config.output, overwrite=config.overwrite)
    files = resolve_checkpoints(config.restorer, config.checkpoint, config.sampling.backbone, config.weights_dir)
    # Torch is imported only now, so that a mistake is told at once.
    from src.photos.build import build_restoration
    from src.photos.summary import Summary
    from src.restorers.chosen import ChosenRestorer
    from src.restorers.published_guide import with_published_guide

    chosen = ChosenRestorer(config.restorer, with_published_guide(files, config.weights_dir))
    built = build_restoration(config, chosen)
    print(f"{built.restorer.name} on {built.setting}", file=sys.stderr)
    summary = Summary(Path(config.output).expanduser())
    start = time.perf_counter()
    for outcome in _outcomes(built, photos, config):
        summary.add(outcome)
    seconds = time.perf_counter() - start
    summary.write(built.facts, built.restorer.name)
    print(summary.line(seconds))
    for problem in summary.problems:
        print(f"not restored: {one_line(problem)}", file=sys.stderr)
    return 1 if summary.problems else 0


def _outcomes(built: "BuiltRestoration", files: list[PhotoFile], config: RestoreConfig) -> Iterator["Outcome"]:
    """Photos first, which share batches, then videos one by one."""
    photos = [file for file in files if not file.is_video]
    with tqdm(total=len(files), desc="restoring", unit="image", disable=None if config.progress else True) as bar:
        for outcome in built.restoration.photos(photos):
            bar.update()
            yield outcome
        for file in (file for file in files if file.is_video):
            yield _video_outcome(built, file, config)
            bar.update()


def _video_outcome(built: "BuiltRestoration", file: PhotoFile, config: RestoreConfig) -> "Outcome":
    from src.photos.restoration import Outcome
    from src.photos.restore_video import VideoRestoration

    if config.aligned:
        return Outcome(file, f"{file.source}: is a video; aligned=true takes pictures of one face")
    return VideoRestoration(built.restoration, config.video, progress=config.progress).restore(file)


def quoted(arguments: list[str]) -> list[str]:
    """Path arguments in quotes, since Hydra's grammar takes brackets and commas in names such as IMG (1).jpg for its own."""
    result = []
    for argument in arguments:
        key, sign, value = argument.partition("=")
        if key in PATH_KEYS and sign and value and value != "null" and value[0] not in "'\"$":
            value = "'" + value.replace("'", "\\'") + "'"
        result.append(key + sign + value)
    return result


if __name__ == "__main__":
    sys.argv[1:] = quoted(sys.argv[1:])
    main()
