"""Starting the training command again in a fresh process. Imports no torch."""

import os
import sys
from collections.abc import Sequence

from src.checkpoints.job_name import slurm_step
from src.jobs.child_process import run_child
from src.jobs.interruption import Interrupted, stopped
from src.settings.cluster import SLURM, TORCHRUN, ClusterSettings
from src.settings.commands import TrainConfig
from src.settings.errors import UserError

PARENT_VARIABLE = "BFR_PARENT"
"""Set in the environment of a run that another run or a sweep started: the leaderboard is then printed by that one."""
OF_PROCESSES = ("hydra/launcher", "hydra.launcher", "hydra.job.env_set")
"""Overrides of Hydra that say how processes are started, and not what is swept."""
PROCESS_GROUP_VARIABLES = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "RANK", "WORLD_SIZE")


def has_parent() -> bool:
    """True if another run or a sweep started this one."""
    return PARENT_VARIABLE in os.environ


def train_command(config: TrainConfig, overrides: Sequence[str]) -> list[str]:
    """The command line of one single run with these overrides, by which this process starts it.

    Under `torchrun` it is this machine's agent, which starts a process for every device.
    """
    module = ["-m", "src.train", *_without_mode(overrides), "hydra.mode=RUN"]
    agent = _agent(config) if config.cluster.kind == TORCHRUN else []
    return [sys.executable, *agent, *module]


def _without_mode(overrides: Sequence[str]) -> list[str]:
    return [text for text in overrides if not text.startswith("hydra.mode=")]


def _agent(config: TrainConfig) -> list[str]:
    cluster, trainer = config.cluster, config.trainer
    return [
        *("-m", "torch.distributed.run"),
        f"--nnodes={trainer.num_nodes}",
        f"--nproc-per-node={trainer.devices}",
        f"--node-rank={cluster.node_rank}",
        f"--master-addr={cluster.master_address}",
        f"--master-port={cluster.master_port}",
        f"--rdzv-conf=timeout={cluster.patience}",
    ]


def run_training(config: TrainConfig, overrides: Sequence[str]) -> int:
    """Run the command to its end and return its exit status; its output goes to this terminal.

    Raises:
        Interrupted: it was asked to end, and so is what has started it.
    """
    return _launched(config, train_command(config, overrides))


def _launched(config: TrainConfig, command: Sequence[str]) -> int:
    try:
        return run_child(command, child_environment(config.cluster))
    except Interrupted:
        is_users = not has_parent() and "SUBMITIT_EXECUTOR" not in os.environ  # submitit requeues by itself
        print(stopped("sweep", with_command=is_users), flush=True)
        raise


def child_environment(cluster: ClusterSettings) -> dict[str, str]:
    """This environment, in which the process group is that of the child: its place in the SLURM job, or none."""
    inherited = {name: value for name, value in os.environ.items() if name not in PROCESS_GROUP_VARIABLES}
    return inherited | {PARENT_VARIABLE: str(os.getpid())} | (place_in_job() if cluster.kind == SLURM else {})


def place_in_job() -> dict[str, str]:
    """Variables of the process group that the tasks of a submitit job form; none of one task, and outside of a job.

    With them, Lightning needs to know nothing of SLURM: it neither requeues nor counts tasks (conventions.md 2.6).
    """
    if "SUBMITIT_EXECUTOR" not in os.environ:
        return {}
    from submitit import JobEnvironment
    from submitit.helpers import TorchDistributedEnvironment

    job = JobEnvironment()
    if job.num_tasks == 1:
        return {}
    group = TorchDistributedEnvironment()
    return {
        "MASTER_ADDR": group.master_addr,
        "MASTER_PORT": str(group.master_port),
        "NODE_RANK": str(job.node),
        "LOCAL_RANK": str(group.local_rank),
        "RANK": str(group.rank),
        "WORLD_SIZE": str(group.world_size),
    }


def train_upstream(config: TrainConfig, overrides: Sequence[str], stage: str, seed: int) -> None:
    """Train `stage` with `seed` under the other overrides of the job that needs it.

    Raises:
        UserError: the training failed, or one of several processes would have to do it.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 or slurm_step() is not None:
        raise UserError(
            f"upstream.{stage}: the run store has none, and one of several processes cannot train it for all; run "
            f"`python -m src.train stage={stage}` first, or leave the start of all processes to cluster=torchrun or slurm"
        )
    command = train_command(config, _announced(overrides, stage, seed))
    _require_success(stage, run_child(command, child_environment(config.cluster)))


def launch_upstream(
    config: TrainConfig, overrides: Sequence[str], of_hydra: Sequence[str], stage: str, seed: int
) -> None:
    """As `train_upstream`, by the process that launches a sweep: where jobs are submitted, this is one too, and waited for.

    Args:
        of_hydra: the sweep's overrides of Hydra itself; those of its sweeper would sweep here again.

    Raises:
        UserError: the training failed.
    """
    of_processes = [text for text in of_hydra if text.lstrip("+").startswith(OF_PROCESSES)]
    needed = [*_announced(overrides, stage, seed), *of_processes]
    if config.cluster.kind != SLURM:
        _require_success(stage, run_training(config, needed))
        return
    command = [sys.executable, "-m", "src.train", *_without_mode(needed), "hydra.mode=MULTIRUN"]
    _require_success(stage, _launched(config, command))


def upstream_overrides(overrides: Sequence[str], stage: str, seed: int) -> list[str]:
    """Overrides of the run that trains `stage` for a job."""
    kept = [text for text in overrides if not text.startswith(("stage=", "study=", "seed="))]
    return [*kept, f"stage={stage}", f"seed={seed}", "study=upstream"]


def _announced(overrides: Sequence[str], stage: str, seed: int) -> list[str]:
    print(f"upstream {stage}: not in the run store, training it first", flush=True)
    return upstream_overrides(overrides, stage, seed)


def _require_success(stage: str, status: int) -> None:
    if status != 0:
        raise UserError(f"upstream.{stage}: its training ended with exit status {status}; the reason is printed above")
