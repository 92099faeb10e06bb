"""Builds a leaderboard from records: `python -m src.leaderboard records=runs/studies/cft_sweep`."""

import sys
from pathlib import Path
from typing import cast

import hydra
from omegaconf import DictConfig, OmegaConf

from src.config.command import friendly_errors
from src.config.compose import CONFIG_DIR
from src.config.schema import register
from src.settings.commands import LeaderboardConfig
from src.settings.errors import UserError

register()


@hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="leaderboard")
@friendly_errors
def main(config: DictConfig) -> None:
    """Print the leaderboard and the files it was written to; warnings about unreadable records go to stderr."""
    if OmegaConf.is_missing(config, "records"):
        raise UserError("records: not given; name the folder of the runs, for example records=runs/studies/cft_sweep")
    show(cast(LeaderboardConfig, OmegaConf.to_object(config)))


def show(settings: LeaderboardConfig) -> None:
    """Write and print the leaderboard.

    Raises:
        UserError: a setting is wrong, or there is nothing to show.
    """
    # pandas and matplotlib are loaded only now, so that --help and a mistake are answered at once.
    from src.leaderboard.board import write_leaderboard

    board = write_leaderboard(
        Path(settings.records),
        None if settings.output is None else Path(settings.output),
        settings.study,
        settings.primary,
        settings.resamples,
        settings.seed,
    )
    print(board.text)
    print("\nWritten: " + ", ".join(map(str, board.paths)))
    for problem in board.problems:
        print(f"warning: left out {problem}", file=sys.stderr)


if __name__ == "__main__":
    main()
