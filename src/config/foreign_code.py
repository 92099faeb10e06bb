"""What a configuration could run by itself: Hydra imports and calls what some of its values name.

A configuration that somebody else wrote is read like any other, so these values are compared with a list of what this
suite uses. `BFR_TRUST_CONFIG=1` in the environment says that the author is trusted, and leaves the comparison out.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from hydra.errors import CompactHydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from src.settings.errors import UserError

TRUST_VARIABLE = "BFR_TRUST_CONFIG"
TARGETS = (
    r"src\.jobs\.sweep\.SweepCallback",
    r"hydra\._internal\.core_plugins\.\w+\.\w+",
    r"hydra_plugins\.\w+(\.\w+)+",
    r"logging\.(StreamHandler|FileHandler|NullHandler|Formatter)",
    r"colorlog\.ColoredFormatter",
)
"""Full names that may be called."""
CALLED = "_target_"
LOGGING_CALLED = ("class", "()")
"""Keys of a logging configuration whose text Python imports and calls."""
RESOLVERS = ("oc.env", "oc.select", "hydra", "now", "python_version", "gpus_of", "cpus_of")
"""What an interpolation may call; none of them makes a mapping or another interpolation out of a text."""
INTERPOLATION = re.compile(
    r"\$\{\s*(?:(?P<resolver>[\w.]+)\s*:\s*(?P<name>[A-Za-z_]\w*(?=\s*[,}]))?|[\w.\-\[\]@/]+\s*\})"
)
SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|COOKIE|NETRC", re.IGNORECASE)
"""In the names of variables that a configuration, which is written into records, must not hold."""
SHELL_KEYS = ("setup", "srun_args", "python", "additional_parameters")
"""Settings of a launcher that become commands or options of a job."""
STREAMS = ("ext://sys.stdout", "ext://sys.stderr")
SHOWN = (("hydra", "help"), ("hydra", "hydra_help"), ("hydra", "overrides"))
"""Texts about a configuration, which are only printed."""

Place = tuple[str, ...]


class ForeignCode(UserError, CompactHydraException):
    """A configuration would run what this suite does not know; Hydra prints the sentence and ends."""


def refuse_foreign_code(config: DictConfig, given: Sequence[str]) -> None:
    """Look over a composed configuration, with its part `hydra`, before anything that it names is called.

    Variables and commands for the processes of a job are taken from the command line alone.

    Args:
        given: the overrides of the command line, as it has them.

    Raises:
        ForeignCode: it names code beside `TARGETS`, a resolver beside `RESOLVERS`, a secret of the environment, variables
            or commands for a job, or a log file that could replace another file.
    """
    if os.environ.get(TRUST_VARIABLE) == "1":
        return
    if planted := [text for text in _told_overrides(config) if text not in given]:
        raise ForeignCode(
            f"hydra.overrides: {planted[0]!r} is said to be of the command line and is not; take it out of the configuration"
        )
    keys = {text.lstrip("+").partition("=")[0] for text in given}
    values = list(_values(OmegaConf.to_container(config, resolve=False), ()))
    # Only what passed the first look is resolved for the second.
    for look in (_named, lambda place, value: _of_job(config, place, value, keys)):
        if problem := next((found for place, value in values if (found := look(place, value))), None):
            raise ForeignCode(
                f"{problem}, which no configuration may; take it out, or set {TRUST_VARIABLE}=1 in the environment if you "
                "trust its author"
            )


def _told_overrides(config: DictConfig) -> list[str]:
    """What Hydra hands on as overrides: those of the command line, behind what a file has put there."""
    told = OmegaConf.select(config, "hydra.overrides")
    if told is None:
        return []
    unresolved = cast(dict[str, list[str] | None], OmegaConf.to_container(told, resolve=False))
    return [text for part in ("hydra", "task") for text in unresolved.get(part) or []]


def _values(value: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    """Every value that is no mapping or list, with the keys that lead to it."""
    if isinstance(value, Mapping):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        yield place, value
        return
    for key, part in items:
        yield from _values(part, (*place, str(key)))


def _named(place: Place, value: Any) -> str | None:
    """What is wrong with the names in a text."""
    if not isinstance(value, str) or place[:2] in SHOWN:
        return None
    key = ".".join(place)
    if place[-1] == CALLED and not _is_known(value):
        return f"{key}: would call {value!r}"
    if place[:2] in (("hydra", "job_logging"), ("hydra", "hydra_logging")):
        return _logged(key, place[-1], value) or _resolved(key, value)
    return _resolved(key, value)


def _is_known(target: str) -> bool:
    return any(re.fullmatch(known, target) for known in TARGETS)


def _logged(key: str, name: str, value: str) -> str | None:
    if name in LOGGING_CALLED and not _is_known(value):
        return f"{key}: would call {value!r}"
    if value.startswith(("ext://", "cfg://")) and value not in STREAMS:
        return f"{key}: would import {value!r}"
    if name == "filename" and (not value.endswith(".log") or ".." in value):
        return f"{key}: would write to {value!r}"
    return None


def _resolved(key: str, value: str) -> str | None:
    """Whether interpolations in a text call more than `RESOLVERS`, or show a secret."""
    for start in re.finditer(r"\$\{", value):
        found = INTERPOLATION.match(value, start.start())
        if found is None:
            return f"{key}: {value!r} would choose by another value what is called"
        if found["resolver"] not in (None, *RESOLVERS):
            return f"{key}: would call the resolver {found['resolver']!r}"
        if found["resolver"] == "oc.env" and (found["name"] is None or SECRET.search(found["name"])):
            return f"{key}: {value!r} would show a secret of the environment"
    return None


def _of_job(config: DictConfig, place: Place, value: Any, given: set[str]) -> str | None:
    """What is wrong with the environment or the commands of a job."""
    key = ".".join(place)
    if any(".".join(place[:end]) in given for end in range(3, len(place) + 1)):
        return None
    if place[:3] == ("hydra", "job", "env_set"):
        return f"{key}: would set a variable of the environment"
    if place[:2] != ("hydra", "launcher") or value is None:
        return None
    if place[2] in SHELL_KEYS or not str(_final(config, key, value)).isprintable():
        return f"{key}: {value!r} would become a command of a job"
    return None


def _final(config: DictConfig, key: str, value: Any) -> Any:
    """The value with its interpolations resolved, as far as that is known before a job runs."""
    try:
        return OmegaConf.select(config, key, default=value)
    except OmegaConfBaseException:
        return value
