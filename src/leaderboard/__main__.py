"""Builds a leaderboard from records, and takes runs and rankings to Weights & Biases.

python -m src.leaderboard records=runs/studies/cft_sweep
python -m src.leaderboard sync runs=runs
python -m src.leaderboard publish records=runs/studies/cft_sweep dry_run=true
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import hydra
from omegaconf import DictConfig, OmegaConf

from src.config.command import friendly_errors
from src.config.compose import CONFIG_DIR
from src.config.schema import register
from src.settings.commands import LeaderboardConfig
from src.settings.errors import UserError
from src.settings.printable import one_line

register()


@hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="leaderboard")
@friendly_errors
def main(config: DictConfig) -> None:
    """Exit status 0, 1 if a run could not be sent, or 2 if a setting is wrong or there is nothing to show."""
    settings = cast(LeaderboardConfig, OmegaConf.to_object(config))
    if settings.action not in ACTIONS:
        raise UserError(f"action: {settings.action!r} is not one of {', '.join(ACTIONS)}")
    if failed := ACTIONS[settings.action](settings):
        raise SystemExit(failed)


# What an action needs is loaded by itself (pandas, matplotlib, wandb), so that --help and a mistake are answered at once.


def build(settings: LeaderboardConfig) -> int:
    """Write and print the leaderboard and the paths of its files; records that cannot be read are named on stderr."""
    records = _records(settings)
    from src.leaderboard.assemble import Choices
    from src.leaderboard.board import write_leaderboard

    out = None if settings.out is None else Path(settings.out)
    choices = Choices(settings.study, settings.primary, settings.resamples, settings.seed)
    board = write_leaderboard(records, out, choices)
    print(board.text)
    print("\nWritten: " + ", ".join(map(str, board.paths)))
    _warn(board.problems)
    return 0


def sync(settings: LeaderboardConfig) -> int:
    """Send the runs that were written offline; 1 if one of them could not be sent."""
    from src.tracking.wandb_sync import sync_runs

    report = sync_runs(Path(settings.runs), project=settings.project, entity=settings.entity, dry_run=settings.dry_run)
    print(report.text)
    return 1 if report.failed else 0


def publish(settings: LeaderboardConfig) -> int:
    """Make the W&B report of the studies and print its address, or what would be sent."""
    records = _records(settings)
    from src.leaderboard.assemble import Choices, study_tables
    from src.leaderboard.report import publish_report
    from src.tracking.records import read_records

    found = read_records(records)
    tables = study_tables(found.records, Choices(settings.study, settings.primary, settings.resamples, settings.seed))
    project = settings.project or str(OmegaConf.load(CONFIG_DIR / "logger" / "wandb.yaml").project)
    print(publish_report(tables, project=project, entity=settings.entity, dry_run=settings.dry_run))
    _warn(found.problems)
    return 0


ACTIONS: dict[str, Callable[[LeaderboardConfig], int]] = {"build": build, "sync": sync, "publish": publish}


def spelled_out(words: Sequence[str]) -> list[str]:
    """The short spelling as a Hydra override: `sync` -> action=sync."""
    return [f"action={words[0]}", *words[1:]] if words and words[0].isidentifier() else list(words)


def _records(settings: LeaderboardConfig) -> Path:
    if settings.records is None:
        raise UserError("records: not given; name the folder of the runs, for example records=runs/studies/cft_sweep")
    return Path(settings.records)


def _warn(problems: Sequence[str]) -> None:
    for problem in problems:
        print(f"warning: left out {one_line(problem)}", file=sys.stderr)


if __name__ == "__main__":
    sys.argv[1:] = spelled_out(sys.argv[1:])
    main()
