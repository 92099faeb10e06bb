"""What a sweep would start: the command of every job, and what SLURM would be given. Imports no torch."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from src.config.identity import effective_config
from src.jobs.processes import train_command, upstream_overrides
from src.jobs.sweep_plan import label_of, labelled
from src.jobs.upstream import Upstreams, needed_stages, seed_of
from src.settings.cluster import SLURM
from src.settings.commands import TrainConfig
from src.settings.errors import UserError

Job = tuple[list[str], TrainConfig]
_NO_PARAMETER = ("_target_", "submitit_folder", "max_num_timeout")


def print_plan(jobs: Sequence[Job], launcher: DictConfig) -> None:
    """Print the networks that would be trained first, the command of every job and, of SLURM, its submission file."""
    for overrides, config in _missing(jobs):
        print(f"\n# first, since jobs build on it: {config.stage}\n{_command(config, overrides)}")
    for number, (overrides, config) in enumerate(jobs):
        label = label_of(config, overrides)
        print(f"\n# job {number + 1} of {len(jobs)}: {label}\n{_command(config, labelled(config, overrides))}")
    if jobs[0][1].cluster.kind == SLURM:
        print(f"\n# what sbatch is given; each task runs the command of its job\n{submission(launcher, len(jobs))}")


def _command(config: TrainConfig, overrides: Sequence[str]) -> str:
    return shlex.join(train_command(config, [text for text in overrides if not text.startswith("cluster.dry_run=")]))


class _Missing(Exception):
    """A network is in no store."""


def _refuse(stage: str, seed: int) -> None:
    raise _Missing


def _missing(jobs: Sequence[Job]) -> Iterator[Job]:
    """Upstream trainings, each once, in the order in which they would be run."""
    seen: list[dict[str, Any]] = []
    for job in jobs:
        yield from _missing_of(job, seen)


def _missing_of(job: Job, seen: list[dict[str, Any]]) -> Iterator[Job]:
    overrides, config = job
    upstreams = Upstreams(config, _refuse)
    for stage in needed_stages(config):
        try:
            upstreams.of(stage)
        except _Missing:
            seed = seed_of(config, stage)
            own = upstream_overrides(overrides, stage, seed), replace(config, stage=stage, seed=seed)
            if (settings := effective_config(own[1])) not in seen:
                seen.append(settings)
                # Of what builds on a missing network, nothing can be looked up: it is missing too.
                yield from _missing_of(own, seen)
                yield own


def submission(launcher: DictConfig, jobs: int) -> str:
    """The file that submitit would hand to sbatch for an array of so many jobs.

    Raises:
        UserError: SLURM does not know a parameter.
    """
    from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf
    from submitit.slurm.slurm import SlurmExecutor

    class Unsubmitted(SlurmExecutor):
        """Writes the file where there is no SLURM too."""

        @classmethod
        def affinity(cls) -> int:
            return 1

    given = cast(dict[Any, Any], OmegaConf.to_container(launcher, resolve=True))
    settings = {str(name): value for name, value in given.items() if value is not None and name not in _NO_PARAMETER}
    executor = Unsubmitted(str(launcher.submitit_folder))
    # What means the same to all of submitit's executors, which the launcher tells apart by this class too.
    generic_names = {field.name for field in fields(BaseQueueConf)}
    generic = executor._convert_parameters({name: settings[name] for name in settings.keys() & generic_names})
    own = {name: value for name, value in settings.items() if name not in generic_names}
    try:
        executor._internal_update_parameters(**generic, **own)
    except ValueError as error:
        raise UserError(f"hydra.launcher: {str(error).splitlines()[0]}") from None
    if jobs > 1:
        executor.parameters["map_count"] = jobs
    return executor._make_submission_file_text(executor._submitit_command_str, uid="dry_run")
