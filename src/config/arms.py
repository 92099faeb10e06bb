"""The arms of conf/arm: named settings of a stage that a comparison trains."""

from functools import cache
from pathlib import Path

import yaml

ARMS = Path(__file__).resolve().parents[2] / "conf" / "arm"


@cache
def _stages() -> dict[str, str]:
    return {path.stem: yaml.safe_load(path.read_text())["stage"] for path in sorted(ARMS.glob("*.yaml"))}


def stage_of_arm(arm: str) -> str | None:
    """The stage that an arm trains; None for a label that is no arm."""
    return _stages().get(arm)


def arms_of_stage(stage: str) -> list[str]:
    """Arms that train a stage."""
    return [arm for arm, trained in _stages().items() if trained == stage]
