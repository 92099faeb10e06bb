"""`python -m src.train` refuses mistakes quickly, in a sentence that names the key, and writes nothing."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from src.checkpoints.store import RunStatus, write_status
from src.config.compose import compose_train
from src.config.identity import effective_config

HEAVY = ("torch", "wandb", "pyiqa", "facexlib", "pytorch_lightning", "matplotlib", "pandas")
SLOW_MACHINE = 4.0
"""Seconds; 2.5 is the aim."""


def train(python: str, root: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would."""
    command = [python, "-m", "src.train", *overrides]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=120)


def processor_seconds() -> float:
    """That child processes have used: what else the machine does changes it little."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_is_quick_and_names_the_main_commands(root: Path) -> None:
    before = processor_seconds()
    done = train(sys.executable, root, "--help")
    assert done.returncode == 0
    assert processor_seconds() - before < SLOW_MACHINE
    assert all(words in done.stdout for words in ("+experiment=cft_sweep", "stage=vqgan", "arm:", "seed: 0"))


def test_a_configuration_is_checked_without_heavy_packages(root: Path) -> None:
    script = (
        "import sys, src.train, src.jobs.sweep\n"
        "from src.config.validate import validate\n"
        "src.jobs.sweep.plan(['+experiment=cft_sweep'])\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["+experiment=cft_sweeep"], "experiment/cft_sweeep"),
        (["scale=tiny63"], "scale/tiny63"),
        (["seed=abc"], "seed"),
        (["cft.adainn=true"], "cft.adainn"),
        (["evaluation.fidelities=[0.5,1.2]"], "evaluation.fidelities: 1.2 must lie in [0, 1]"),
        (["data=folder"], "data.root"),
        (["data=folder", "data.root=/no/such/folder"], "/no/such/folder"),
        (["upstream.vqgan=/no/such/run"], "upstream.vqgan: the folder /no/such/run does not exist"),
        (["+experiment=cft_sweep", "upstream.vqgan=/no/such/run"], "upstream.vqgan: the folder /no/such/run"),
        (["+experiment=cft_sweep", "seed=0,abc"], "sweep job 1"),
        (["+experiment=cft_sweep", "arm=none,nonne"], "arm/nonne"),
        (["-m", "evaluation.batch_size=16,0"], "evaluation.batch_size: 0 must be greater than 0"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_sentence_and_writes_nothing(
    root: Path, tmp_path: Path, overrides: list[str], words: str, forked_python: str
) -> None:
    done = train(forked_python, root, *overrides, f"run_store={tmp_path / 'runs'}")
    assert done.returncode != 0
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 20, done.stderr
    assert not list(tmp_path.iterdir())


def test_an_upstream_of_another_scale_is_refused_and_nothing_is_written(
    root: Path, tmp_path: Path, forked_python: str
) -> None:
    folder = tmp_path / "elsewhere" / "vqgan"
    write_status(folder, RunStatus("vqgan", "0" * 10, "vqgan", "finished", weights={"vqgan": "0" * 64}))
    (folder / "config.json").write_text(json.dumps(effective_config(compose_train(["stage=vqgan", "scale=small128"]))))
    done = train(forked_python, root, f"upstream.vqgan={folder}", f"run_store={tmp_path / 'runs'}")
    assert done.returncode == 2
    assert "error: upstream.vqgan:" in done.stderr
    assert "scale small128" in done.stderr
    assert not (tmp_path / "runs").exists()
