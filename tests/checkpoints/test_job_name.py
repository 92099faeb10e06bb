"""Processes of one job find the same name for it, those of two jobs never."""

import os
from collections.abc import Iterator
from unittest.mock import patch

import pytest

from src.checkpoints.job_name import JOB_VARIABLE, job_name, slurm_step

PLACES = ("MASTER_ADDR", "MASTER_PORT", "SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_NTASKS", "SLURM_JOB_NAME")
STEP = {"SLURM_JOB_ID": "77", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "4"}


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    with patch.dict(os.environ):
        yield


def named(**place: str) -> str:
    """The name of a job whose process has this environment."""
    for name in (JOB_VARIABLE, *PLACES):
        os.environ.pop(name, None)
    os.environ.update(place)
    return job_name()


def test_tasks_of_one_step_of_slurm_share_a_name() -> None:
    """Plain `srun`: there is no meeting point before Lightning trains."""
    assert named(**STEP, SLURM_PROCID="0") == named(**STEP, SLURM_PROCID="3")
    assert named(**STEP) != named(**STEP | {"SLURM_STEP_ID": "1"})
    assert named(**STEP) != named(**STEP | {"SLURM_JOB_ID": "78"})


@pytest.mark.parametrize(
    "change", [{"SLURM_NTASKS": "1"}, {"SLURM_JOB_NAME": "interactive"}, {"SLURM_JOB_NAME": "bash"}]
)
def test_single_tasks_and_shells_of_slurm_are_jobs_of_their_own(change: dict[str, str]) -> None:
    assert named(**STEP | change) != named(**STEP | change)
    assert slurm_step() is None


def test_a_batch_script_is_no_step() -> None:
    alone = {name: value for name, value in STEP.items() if name != "SLURM_STEP_ID"}
    assert named(**alone) != named(**alone)


def test_processes_that_meet_at_one_place_share_a_name() -> None:
    assert named(MASTER_ADDR="node0", MASTER_PORT="29500") == "node0:29500"
    assert named(**STEP, MASTER_ADDR="node0", MASTER_PORT="29500") == "node0:29500"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_a_place_that_every_machine_has_is_named_with_the_machine(address: str) -> None:
    assert named(MASTER_ADDR=address, MASTER_PORT="29500") == f"{os.uname().nodename}:{address}:29500"


def test_processes_that_are_started_later_inherit_the_name() -> None:
    name = named()
    assert named(**{JOB_VARIABLE: name}, MASTER_ADDR="127.0.0.1", MASTER_PORT="4711") == name
