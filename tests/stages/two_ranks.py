"""Trains one of `VARIANTS` on two processes; each rank writes its weights' hash, the first one the weights too.

Run: python -m tests.stages.two_ranks <variant> <dir>
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import torch
from pytorch_lightning.strategies import DDPStrategy

from tests.stages.small import small_config, small_data, small_stage, small_trainer

ROOT = Path(__file__).resolve().parents[2]
ITERATIONS = 5


def hashes_of_two(module: str, variant: str, folder: Path, python: str) -> list[str]:
    """Train `variant` by `module`, this one or one like it; the hash that each of its two ranks wrote into `folder`."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1"}
    command = [python, "-m", f"tests.stages.{module}", variant, str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    return [(folder / f"{variant}-{rank}.txt").read_text() for rank in (0, 1)]


def weights_hash(module: torch.nn.Module) -> str:
    """SHA-256 over all parameters; batch statistics differ by rank, as published (unsynchronised BatchNorm)."""
    digest = hashlib.sha256()
    for value in module.parameters():
        digest.update(value.detach().numpy().tobytes())
    return digest.hexdigest()


def main(variant: str, folder: Path) -> None:
    torch.set_num_threads(1)
    config = small_config(variant, iterations=ITERATIONS)
    stage = small_stage(config)
    strategy = DDPStrategy(find_unused_parameters=True, process_group_backend="gloo")
    trainer = small_trainer(folder, devices=2, strategy=strategy)
    trainer.fit(stage, datamodule=small_data(config))
    (folder / f"{variant}-{trainer.global_rank}.txt").write_text(weights_hash(stage))
    if trainer.is_global_zero:
        torch.save(stage.state_dict(), folder / f"{variant}.pt")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
