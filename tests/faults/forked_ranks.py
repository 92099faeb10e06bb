"""Ranks of one training as forked processes, which start at once because everything is imported already."""

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

from lightning_fabric.plugins.environments.lightning import find_free_network_port

RANKS = 2


def run_ranks(work: Callable[[int], None], folder: Path, seconds: float) -> list[str | None]:
    """What `work(rank)` raised in each of two processes, as text; None of one that did not come to that.

    The processes find each other as under torchrun. One that still runs after `seconds` is killed, and fails the test.
    """
    context, port = multiprocessing.get_context("fork"), find_free_network_port()
    processes = [context.Process(target=_rank, args=(work, rank, port, folder)) for rank in range(RANKS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(seconds)
    hanging = [rank for rank, process in enumerate(processes) if process.is_alive()]
    for process in processes:
        process.kill()
        process.join()
    assert not hanging, f"ranks {hanging} still ran after {seconds} s"
    return [_said(folder, rank) for rank in range(RANKS)]


def _rank(work: Callable[[int], None], rank: int, port: int, folder: Path) -> None:
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(RANKS),
        "LOCAL_WORLD_SIZE": str(RANKS),
        "GROUP_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_RUN_ID": "test",
    }
    try:
        work(rank)
    except Exception as error:
        (folder / f"rank{rank}.txt").write_text(f"{type(error).__name__}: {error}")


def _said(folder: Path, rank: int) -> str | None:
    path = folder / f"rank{rank}.txt"
    return path.read_text() if path.exists() else None
