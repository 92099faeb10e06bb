"""Evaluates as one of two processes: `torchrun`'s variables in the environment, argument: where to write the result."""

import json
import sys
from pathlib import Path

import numpy as np
import torch

from src.data.benchmark import assemble
from src.jobs.evaluation import evaluate
from src.jobs.ranks import joined_ranks
from src.jobs.restorations import RestorerAtWork
from src.restorers.identity import IdentityRestorer
from tests.metrics.small_suite import faces, small_suite

COUNT = 7


def benchmark_of(count: int) -> object:
    """Random pairs."""
    hq, lq = (faces(seed, count).permute(0, 2, 3, 1).numpy().copy() for seed in (0, 9))
    names = [f"face{index}" for index in range(count)]
    return assemble(
        name="made_up",
        split="test",
        seed=None,
        recipe="none",
        recipe_hash="",
        source="",
        hq=hq,
        lq=lq,
        names=names,
        identities=list(range(count)),
        landmarks=[None] * count,
    )


def evaluated(batch_size: int) -> dict:
    """Every number of an evaluation, and the pictures of three faces, as seen by this process."""
    benchmark = benchmark_of(COUNT)
    with joined_ranks() as ranks:
        restorations = RestorerAtWork(IdentityRestorer(), benchmark.lq, torch.device("cpu"))
        suite, _, _ = small_suite()
        evaluation = evaluate(
            restorations, benchmark, suite, batch_size=batch_size, title="", progress=False, ranks=ranks
        )
        pictures = evaluation.pictures([0, 3, COUNT - 1])
        seen = ranks.count, len(evaluation.share)
    same = all(np.array_equal(face, benchmark.lq[index]) for index, face in pictures.items())
    per_image = {name: values.tolist() for name, values in evaluation.result.per_image.items()}
    return {"per_image": per_image, "per_set": evaluation.result.per_set, "pictures": same, "ranks": seen}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(evaluated(batch_size=2)))
