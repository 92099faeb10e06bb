"""How the processes of a training are started, on one machine or on many."""

from dataclasses import dataclass

LOCAL, TORCHRUN, SLURM = "local", "torchrun", "slurm"
CLUSTERS = (LOCAL, TORCHRUN, SLURM)


@dataclass(kw_only=True)
class ClusterSettings:
    """What a cluster calls its machines and partitions is given on the command line, never kept in `conf/`."""

    kind: str
    """`local` (this machine; Lightning starts the processes of further devices), `torchrun` (one agent on every machine
    starts them) or `slurm` (every job of a sweep is a SLURM job, by submitit)."""
    dry_run: bool
    """Print the exact command of every job, and what SLURM would be given, and start nothing."""
    node_rank: int
    """torchrun: number of this machine among `trainer.num_nodes`, from 0."""
    master_address: str
    """torchrun: name or address of machine 0, where all processes meet."""
    master_port: int
    """torchrun: a free port of machine 0."""
    patience: int
    """Seconds that processes of one training wait for one another before they give up with an error."""
