"""Two processes with an uneven last batch measure what one does, and both know the whole result."""

import json
import os
import subprocess
from pathlib import Path

from lightning_fabric.plugins.environments.lightning import find_free_network_port

from tests.metrics.two_ranks import COUNT, evaluated


def test_two_gloo_processes_measure_what_one_does(tmp_path: Path, root: Path, forked_python: str) -> None:
    shared = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(find_free_network_port()),
        "WORLD_SIZE": "2",
        "OMP_NUM_THREADS": "1",
    }
    started = [
        subprocess.Popen(
            [forked_python, "-m", "tests.metrics.two_ranks", str(tmp_path / f"{rank}.json")],
            cwd=root,
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    for process in started:
        _, error = process.communicate(timeout=240)
        assert process.returncode == 0, error
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert [found.pop("ranks") for found in (first, second)] == [[2, COUNT // 2], [2, COUNT - COUNT // 2]]
    assert first == second, "every process has the whole result"
    alone = evaluated(batch_size=3)
    assert alone.pop("ranks") == (1, COUNT)
    assert first == alone
