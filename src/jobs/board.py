"""Prints the leaderboard of a study and says where everything is."""

import sys
from pathlib import Path

from src.jobs.record_folders import records_folder
from src.leaderboard.assemble import Choices
from src.leaderboard.board import write_leaderboard
from src.settings.commands import MetricsSettings, TrainConfig


def print_leaderboard(config: TrainConfig) -> None:
    """Write and print the leaderboard of the configuration's study."""
    print_study(records_folder(config).parent, config.study, config.metrics)


def print_study(folder: Path, study: str, metrics: MetricsSettings) -> None:
    """Write the leaderboard of the study in `folder` from its records, print it and say where everything is.

    The records say which metric decides: it was named before they were made.
    """
    records, out = folder / "records", folder / "leaderboard"
    board = write_leaderboard(records, out, Choices(study, resamples=metrics.bootstrap_resamples))
    print(board.text)
    for problem in board.problems:
        print(f"warning: {problem}", file=sys.stderr)
    for name, place in {"leaderboard": out, "pictures": folder / "images", "records": records}.items():
        print(f"{name:12s}{_shown(place)}")


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_absolute() and path.is_relative_to(here) else str(path)
