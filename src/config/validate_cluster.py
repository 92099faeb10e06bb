"""Rules of how the processes of a training are started."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from src.config.rules import at_least, choice, within
from src.settings.cluster import CLUSTERS, SLURM, TORCHRUN, ClusterSettings
from src.settings.commands import TrainConfig, TrainerSettings
from src.settings.errors import UserError
from src.settings.loopback import is_loopback


def cluster_problems(cluster: ClusterSettings, trainer: TrainerSettings, *, resume: bool) -> Iterator[str]:
    """What is wrong with `cluster.*`, a sentence each."""
    yield from choice("cluster.kind", cluster.kind, CLUSTERS)
    yield from within("cluster.master_port", cluster.master_port, 1, 65535)
    yield from at_least("cluster.patience", cluster.patience, 1)
    if not 0 <= cluster.node_rank < max(trainer.num_nodes, 1):
        yield f"cluster.node_rank: {cluster.node_rank} must lie between 0 and trainer.num_nodes - 1 = {trainer.num_nodes - 1}"
    if cluster.kind == TORCHRUN and trainer.num_nodes > 1 and is_loopback(cluster.master_address):
        yield (
            f"cluster.master_address: {cluster.master_address} is every machine's own, and trainer.num_nodes is "
            f"{trainer.num_nodes}; give the name or address by which the others reach machine 0"
        )
    if cluster.kind == SLURM and not resume:
        yield "resume: False starts from nothing each time that SLURM submits a job again; leave it True, or remove the runs"


def check_launcher(launcher: Mapping[str, Any], configs: Sequence[TrainConfig]) -> None:
    """Whether the processes that are submitted for each job are those that its trainer waits for.

    Raises:
        UserError: they are not; a job would wait for processes that never come.
    """
    for config in configs:
        for key, own in (("tasks_per_node", "devices"), ("nodes", "num_nodes")):
            wanted = getattr(config.trainer, own)
            if launcher.get(key) != wanted:
                raise UserError(
                    f"hydra.launcher.{key}: {launcher.get(key)}, and trainer.{own} is {wanted}; give trainer.{own} alone, "
                    "and the same to all jobs of a sweep"
                )
