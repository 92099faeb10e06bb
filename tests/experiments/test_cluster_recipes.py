"""The recipes of experiments/cluster say what they would start, and it is what their machines need."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

RECIPES = Path(__file__).resolve().parents[2] / "experiments" / "cluster"
SMALLEST = ["+experiment=cft_sweep", "arm=none,all_fixed", "cluster.dry_run=true"]


def dry_run(name: str, store: Path, root: Path, python: str, **variables: str) -> list[str]:
    """Lines that the recipe prints."""
    path = f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", str(RECIPES / f"{name}.sh"), *SMALLEST, f"run_store={store}"],
        cwd=root,
        env=os.environ | variables | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not store.exists()
    return done.stdout.splitlines()


def jobs(lines: list[str]) -> list[list[str]]:
    """The command of every job, as words."""
    return [shlex.split(lines[place + 1]) for place, line in enumerate(lines) if line.startswith("# job ")]


def test_every_recipe_is_tested() -> None:
    assert {path.stem for path in RECIPES.glob("*.sh")} == {"one_machine", "torchrun", "slurm"}


def test_one_machine(tmp_path: Path, root: Path, forked_python: str) -> None:
    first, second = jobs(dry_run("one_machine", tmp_path / "runs", root, forked_python, DEVICES="4"))
    assert first[1:3] == ["-m", "src.train"]
    assert {"arm=none", "trainer.devices=4", "hydra.mode=RUN"} <= set(first)
    assert "arm=all_fixed" in second
    assert not any("dry_run" in word for word in first + second)


def test_torchrun(tmp_path: Path, root: Path, forked_python: str) -> None:
    lines = dry_run(
        "torchrun", tmp_path / "runs", root, forked_python, NODES="2", NODE="1", MASTER="gpu01", DEVICES="4"
    )
    assert [job[1:8] for job in jobs(lines)] == [
        [
            *("-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=4", "--node-rank=1"),
            *("--master-addr=gpu01", "--master-port=29500"),
        ]
    ] * 2


def test_slurm(tmp_path: Path, root: Path, forked_python: str) -> None:
    lines = dry_run(
        "slurm", tmp_path / "runs", root, forked_python, PARTITION="gpu", NODES="2", DEVICES="4", MINUTES="90"
    )
    assert len(jobs(lines)) == 2
    wanted = {"partition=gpu", "nodes=2", "ntasks-per-node=4", "gpus-per-node=4", "time=90", "array=0-1%2"}
    assert {f"#SBATCH --{text}" for text in wanted} <= set(lines)
    assert not any("--account" in line for line in lines)


@pytest.mark.parametrize("name", ["torchrun", "slurm"])
def test_what_only_the_site_knows_is_asked_for(name: str, root: Path) -> None:
    done = subprocess.run(["bash", str(RECIPES / f"{name}.sh")], cwd=root, capture_output=True, text=True)
    assert done.returncode != 0
    assert "number of machines" in done.stderr or "name of the partition" in done.stderr


def test_a_single_run_says_what_it_would_train_first(tmp_path: Path, root: Path, forked_python: str) -> None:
    """Also what only a missing network is built on."""
    missing = ("vqgan", "code_predictor", "cft")
    overrides = [
        "stage=registration",
        *(f"upstream.{stage}=train" for stage in missing),
        "cluster.dry_run=true",
        f"run_store={tmp_path / 'runs'}",
    ]
    done = subprocess.run(
        [forked_python, "-m", "src.train", *overrides], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    first = [shlex.split(lines[place + 1]) for place, line in enumerate(lines) if line.startswith("# first, ")]
    assert [next(word for word in command if word.startswith("stage=")) for command in first] == [
        f"stage={stage}" for stage in missing
    ]
    assert all({"study=upstream", "seed=0"} <= set(command) for command in first)
    (own,) = jobs(lines)
    assert "stage=registration" in own
    assert not any(word.startswith("label=") for word in own), "nothing is swept"
    assert list(tmp_path.iterdir()) == [], "nothing is run, and no log left where the command was given"
