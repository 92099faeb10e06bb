"""The same experiment on one process, several machines or as SLURM jobs: what is started, and that it agrees."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from lightning_fabric.plugins.environments.lightning import find_free_network_port
from omegaconf import DictConfig, OmegaConf

from src.checkpoints.files import sha256_of
from src.checkpoints.store import StoredRun, read_run
from src.config.compose import CONFIG_DIR, compose_train
from src.config.identity import effective_config
from src.config.schema import register
from src.config.validate import validate
from src.config.validate_cluster import check_launcher
from src.jobs import processes
from src.jobs.dry_run import submission
from src.jobs.processes import (
    PARENT_VARIABLE,
    child_environment,
    launch_upstream,
    place_in_job,
    train_command,
    train_upstream,
)
from src.settings.cluster import CLUSTERS
from src.settings.errors import UserError
from tests.jobs.test_end_to_end import SMALL

pytestmark = pytest.mark.timeout(600)


def test_cluster_and_trainer_say_nothing_of_each_others_result() -> None:
    """No identity depends on how the processes are started."""
    plain = effective_config(compose_train(["stage=vqgan"]))
    assert all(effective_config(compose_train(["stage=vqgan", f"cluster={kind}"])) == plain for kind in CLUSTERS)


def test_torchrun_starts_one_agent_a_machine_and_a_process_a_device() -> None:
    given = ["stage=vqgan", "hydra.mode=MULTIRUN"]
    config = compose_train(
        [
            *("cluster=torchrun", "trainer.devices=4", "trainer.num_nodes=2", "cluster.node_rank=1"),
            *("cluster.master_address=node0", "cluster.master_port=4711", "cluster.patience=60"),
        ]
    )
    assert train_command(config, given) == [
        *(sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=4", "--node-rank=1"),
        *("--master-addr=node0", "--master-port=4711", "--rdzv-conf=timeout=60"),
        *("-m", "src.train", "stage=vqgan", "hydra.mode=RUN"),
    ]
    local = compose_train(["trainer.devices=4"])
    assert train_command(local, given) == [sys.executable, "-m", "src.train", "stage=vqgan", "hydra.mode=RUN"]


def launcher(*overrides: str) -> DictConfig:
    """Of Hydra, under SLURM."""
    register()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return compose("train", overrides=["cluster=slurm", *overrides], return_hydra_config=True).hydra.launcher


def test_slurm_is_given_what_the_trainer_expects() -> None:
    asked = launcher("trainer=ddp", "trainer.num_nodes=2", "trainer.workers=6", "hydra.launcher.partition=long")
    text = submission(asked, jobs=12)
    lines = {line.removeprefix("#SBATCH --") for line in text.splitlines() if line.startswith("#SBATCH")}
    assert lines >= {
        *("nodes=2", "ntasks-per-node=8", "gpus-per-node=8", "cpus-per-task=7", "partition=long", "signal=USR2@120"),
        "array=0-11%12",
    }
    assert "submitit.core._submit" in text
    on_cpu = submission(launcher(), jobs=1)
    assert "gpus" not in on_cpu
    assert "array" not in on_cpu


def test_a_parameter_that_slurm_does_not_know_is_named() -> None:
    asked = OmegaConf.create({"colour": "red", "submitit_folder": "logs"})
    with pytest.raises(UserError, match=r"hydra\.launcher: .*colour"):
        submission(asked, jobs=1)


def test_tasks_and_devices_that_disagree_are_refused_before_anything_is_submitted() -> None:
    two = compose_train(["trainer.devices=2"])
    check_launcher(launcher("trainer.devices=2"), [two])
    with pytest.raises(UserError, match=r"hydra\.launcher\.tasks_per_node: 4, and trainer\.devices is 2"):
        check_launcher(launcher("trainer.devices=2", "hydra.launcher.tasks_per_node=4"), [two])
    with pytest.raises(UserError, match=r"hydra\.launcher\.nodes: 1, and trainer\.num_nodes is 3"):
        check_launcher(launcher(), [compose_train([]), compose_train(["trainer.num_nodes=3"])])


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("cluster.node_rank=1", r"cluster\.node_rank: 1 must lie between 0 and trainer\.num_nodes - 1 = 0"),
        ("cluster.master_port=70000", r"cluster\.master_port: 70000"),
        (
            "cluster=torchrun trainer.num_nodes=2",
            r"cluster\.master_address: 127\.0\.0\.1 is every machine's own, and trainer\.num_nodes is 2",
        ),
        ("cluster=slurm resume=false", r"resume: False starts from nothing each time"),
        ("cluster.kind=pbs", r"cluster\.kind: 'pbs' is not one of local, torchrun, slurm"),
    ],
)
def test_mistakes_are_named(override: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        validate(compose_train(override.split()))


def test_a_task_of_a_slurm_job_knows_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "SUBMITIT_EXECUTOR": "slurm",
        "SLURM_JOB_ID": "77",
        "SLURM_NTASKS": "4",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_NODEID": "1",
        "SLURM_PROCID": "3",
        "SLURM_LOCALID": "1",
        "SLURM_JOB_NODELIST": "gpu[07-08]",
    }.items():
        monkeypatch.setenv(name, value)
    place = place_in_job()
    port = int(place.pop("MASTER_PORT"))
    assert 1024 < port < 65536
    assert place == {"MASTER_ADDR": "gpu07", "NODE_RANK": "1", "LOCAL_RANK": "1", "RANK": "3", "WORLD_SIZE": "4"}
    monkeypatch.setenv("RANK", "9")
    slurm, local = (child_environment(compose_train([f"cluster={kind}"]).cluster) for kind in ("slurm", "local"))
    assert (slurm["RANK"], slurm[PARENT_VARIABLE]) == ("3", str(os.getpid()))
    assert "RANK" not in local
    monkeypatch.setenv("SLURM_NTASKS", "1")
    assert place_in_job() == {}


def test_one_of_several_tasks_of_srun_trains_no_upstream(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SLURM_JOB_ID": "77", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SLURM_JOB_NAME", raising=False)  # which may be that of a shell
    with pytest.raises(UserError, match=r"upstream\.vqgan: .* one of several processes cannot train it for all"):
        train_upstream(compose_train(["stage=cft"]), [], "vqgan", 0)


@pytest.mark.parametrize("kind", ["local", "slurm"])
def test_upstream_stages_are_started_as_the_sweep_is_and_not_swept(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], environment: dict[str, str]) -> int:
        commands.append(command)
        return 0

    monkeypatch.setattr(processes, "run_child", run)
    kept = ["+hydra.launcher.additional_parameters.reservation=mine", "hydra.job.env_set.NCCL_DEBUG=INFO"]
    left = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=20", "hydra.mode=MULTIRUN"]
    launch_upstream(compose_train([f"cluster={kind}"]), ["arm=all_fixed"], [*kept, *left], "vqgan", 0)
    (command,) = commands
    assert {"arm=all_fixed", "stage=vqgan", *kept} <= set(command)
    assert [word for word in command if word.startswith(("hydra/sweeper", "hydra.sweeper"))] == []
    assert command[-1] == ("hydra.mode=MULTIRUN" if kind == "slurm" else "hydra.mode=RUN")


def train(python: str, store: Path, root: Path, *overrides: str) -> subprocess.Popen[str]:
    """The recogniser, which builds on nothing, at a size of seconds."""
    given = ["stage=recogniser", "logger=none", f"run_store={store}", *SMALL, *overrides]
    return subprocess.Popen(
        [python, "-m", "src.train", *given],
        cwd=root,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def own_name() -> str:
    """This machine's, by which agents meet: a loopback address is refused."""
    try:
        socket.getaddrinfo(os.uname().nodename, None)
    except OSError:
        pytest.skip(f"this machine cannot resolve its own name {os.uname().nodename}")
    return os.uname().nodename


def ended(process: subprocess.Popen[str]) -> str:
    out, error = process.communicate(timeout=400)
    assert process.returncode == 0, out[-2000:] + error[-3000:]
    return out


def the_run(store: Path) -> StoredRun:
    (folder,) = (store / "recogniser").iterdir()
    run = read_run(folder)
    assert run is not None
    assert run.is_finished
    return run


def test_two_machines_and_two_submitted_tasks_train_what_two_processes_do(
    tmp_path: Path, root: Path, forked_python: str
) -> None:
    """Two agents of torchrun on this machine, and submitit's path without SLURM."""
    machine = [
        *("cluster=torchrun", "trainer.num_nodes=2", "cluster.patience=300"),
        *(f"cluster.master_address={own_name()}", f"cluster.master_port={find_free_network_port()}"),
    ]
    agents = [train(forked_python, tmp_path / "agents", root, *machine, f"cluster.node_rank={rank}") for rank in (0, 1)]
    said = [ended(agent) for agent in agents]
    assert ["recogniser: clean_auc" in text for text in said] == [True, False]

    submitted = ["cluster=slurm", "hydra/launcher=submitit_local", "trainer.devices=2"]
    ended(train(forked_python, tmp_path / "tasks", root, *submitted))
    runs = [the_run(tmp_path / name) for name in ("agents", "tasks")]
    assert runs[0].status.identity == runs[1].status.identity
    weights = {sha256_of(run.weights_file("recogniser")) for run in runs}
    assert len(weights) == 1
    logs = [[json.loads(line) for line in (run.folder / "train_log.jsonl").read_text().splitlines()] for run in runs]
    assert logs[0] == logs[1]
    assert len({line["iteration"] for line in logs[0]}) == len(logs[0])
