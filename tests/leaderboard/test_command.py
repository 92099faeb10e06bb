"""`python -m src.leaderboard` as a user runs it."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def command(root: Path, tmp_path: Path):
    """Run the command in an empty working directory."""
    here = tmp_path / "cwd"
    here.mkdir()

    def run(*arguments: str) -> subprocess.CompletedProcess:
        environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "src.leaderboard", *arguments],
            cwd=here,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert "Traceback" not in done.stderr
        assert list(here.iterdir()) == [], "Hydra must not write into the working directory"
        return done

    return run


def test_prints_and_writes(command, make, tmp_path: Path) -> None:
    make("a", shift=0.1)
    make("b")
    (tmp_path / "records" / "corrupt").mkdir()
    (tmp_path / "records" / "corrupt" / "result.json").write_text("{")
    done = command(f"records={tmp_path / 'records'}", "resamples=500", "primary=st_lpips")
    assert done.returncode == 0, done.stderr
    assert "Best on st_lpips ↓: b" in done.stdout
    assert "corrupt/result.json: not valid JSON" in done.stderr
    written = {path.name for path in (tmp_path / "records" / "leaderboard").iterdir()}
    assert written == {"curve.png", "frontier.png", *(f"leaderboard.{kind}" for kind in ("md", "csv", "tex", "html"))}


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        ([], 2, "records: not given"),
        (["records=absent"], 2, "'absent' is not a folder"),
        (["records=.", "primary=lpips"], 2, "records: nothing readable in '.'"),
        (["publish"], 2, "records: not given"),
        (["plublish", "records=."], 2, "action: 'plublish' is not one of build, sync, publish"),
        (["records=runs", "output=elsewhere"], 1, "output"),
        (["recods=runs"], 1, "recods"),
        (["records=runs", "resamples=many"], 1, "resamples"),
    ],
)
def test_mistakes_are_told(command, arguments: list[str], status: int, sentence: str) -> None:
    done = command(*arguments)
    assert done.returncode == status
    assert sentence in done.stderr
    assert done.stdout == ""


def _seconds_of_children() -> float:
    """Processor time: unlike that of the clock it does not depend on what else the machine does."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_is_quick_and_says_what_the_keys_mean(command) -> None:
    start = _seconds_of_children()
    done = command("--help")
    assert _seconds_of_children() - start < 2.5
    assert done.returncode == 0
    assert "records    folder that is searched" in done.stdout
    assert "primary: null" in done.stdout
    assert "python -m src.leaderboard sync" in done.stdout


def test_a_mistake_is_told_without_loading_what_is_heavy(root: Path) -> None:
    heavy = "{'torch', 'pandas', 'matplotlib', 'wandb'}"
    script = f"import sys, src.leaderboard.__main__; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
