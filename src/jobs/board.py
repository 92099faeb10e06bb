"""Prints the leaderboard of a study and says where everything is."""

import sys
from pathlib import Path

from src.jobs.recording import records_folder
from src.leaderboard.board import write_leaderboard
from src.settings.commands import TrainConfig


def print_leaderboard(config: TrainConfig) -> None:
    """Write the study's leaderboard from its records and print it with the paths of figure, pictures and records."""
    records = records_folder(config)
    output = records.parent / "leaderboard"
    board = write_leaderboard(
        records,
        output=output,
        study=config.study,
        primary=config.metrics.primary,
        resamples=config.metrics.bootstrap_resamples,
        seed=0,
    )
    print(board.text)
    for problem in board.problems:
        print(f"warning: {problem}", file=sys.stderr)
    places = {"leaderboard": output, "pictures": records.parent / "images", "records": records}
    for name, place in places.items():
        print(f"{name:12s}{_shown(place)}")


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_absolute() and path.is_relative_to(here) else str(path)
