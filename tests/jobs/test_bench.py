"""What stops an evaluation before any work, and what is said of its cost."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from src.config.compose import compose_train
from src.jobs.bench import metric_context, refuse_missing
from src.jobs.train_job import run_job
from src.settings.errors import UserError

CPU = torch.device("cpu")


def test_strict_refuses_before_any_work_and_names_file_address_and_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BFR_WEIGHTS_DIR", str(tmp_path))
    settings = compose_train(["metrics.measure=[psnr,fid/ffhq_basicsr50k]", "metrics.leave_out=[]"]).metrics
    context = metric_context(settings, CPU, tmp_path, None)
    refuse_missing(settings, context)
    with pytest.raises(UserError) as refused:
        refuse_missing(replace(settings, strict=True), context)
    sentence = str(refused.value)
    assert "fid/ffhq_basicsr50k: weights-inception-2015-12-05-6726825d.pth is missing" in sentence
    assert "https://github.com/toshas/torch-fidelity/" in sentence
    assert str(tmp_path) in sentence


def test_a_strict_training_stops_before_it_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BFR_WEIGHTS_DIR", str(tmp_path / "weights"))
    words = [
        "stage=vqgan",
        "metrics.strict=true",
        "metrics.measure=[lmd_wflw98]",
        "metrics.leave_out=[]",
        "logger=none",
    ]
    with pytest.raises(UserError, match=r"metrics\.strict: 1 metrics cannot be measured"):
        run_job(compose_train([*words, f"run_store={tmp_path / 'runs'}"]), words)
    assert not (tmp_path / "runs").exists()


WORK = """
import numpy, torch
from src.jobs.peak_memory import MemoryGrowth
growth = MemoryGrowth(torch.device("cpu"))
growth.start()
block = numpy.ones(200 * 2**20, numpy.uint8)
del block
first = growth.megabytes()
growth.start()
print(first, growth.megabytes())
"""


def test_memory_is_what_the_work_adds(root: Path) -> None:
    """In a process of its own: here, memory that other tests have freed would be used again."""
    done = subprocess.run([sys.executable, "-c", WORK], cwd=root, capture_output=True, text=True, check=True)
    if done.stdout.split() == ["None", "None"]:
        pytest.skip("this system does not tell a process its peak memory")
    first, second = map(float, done.stdout.split())
    assert 150 < first < 300, "what is freed again counts"
    assert second < 50, "earlier work does not"
