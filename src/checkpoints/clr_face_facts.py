"""What the weights files of CLR-Face say about themselves, beside the sizes of their networks."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from src.checkpoints.plain_files import parsed_json
from src.settings.clr_face import CONDITIONS, SdeSettings
from src.settings.errors import UserError

SDE_FACT = "sde"
"""Of a score model: the process that it inverts, `SdeSettings` as JSON."""
CONDITION_FACT = "condition"
"""Of a score model: a name of `CONDITIONS`."""
OUTPUT_FACT = "output"
"""Of an identity recovery: a name of `RECOVERY_OUTPUTS`."""
GUIDE_FACT = "guide"
"""Of a mask: the name of the recogniser under whose guidance it was trained."""


def score_facts(sde: SdeSettings, condition: str) -> dict[str, str]:
    """The facts of a score model."""
    return {SDE_FACT: json.dumps(asdict(sde), sort_keys=True), CONDITION_FACT: condition}


def sde_of(facts: Mapping[str, str], path: Path) -> SdeSettings:
    """The process that the score model in `path` inverts. Raises UserError if its facts do not say."""
    try:
        return SdeSettings(**parsed_json(facts[SDE_FACT]))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}: its fact {SDE_FACT!r} is {facts.get(SDE_FACT)!r}, expected the settings of the noising process that "
            "the score model inverts; take the file of a training run of the stage latent_score"
        ) from error


def condition_of(facts: Mapping[str, str], path: Path) -> str:
    """What the score model in `path` is conditioned on. Raises UserError if its facts do not say."""
    condition = facts.get(CONDITION_FACT)
    if condition not in CONDITIONS:
        raise UserError(
            f"{path}: its fact {CONDITION_FACT!r} is {condition!r}, expected one of {', '.join(CONDITIONS)}; take the file "
            "of a training run of the stage latent_score"
        )
    return condition
