"""Made-up records of DifFace over start step, solver and steps, of its backbones alone, and of CodeFormer over w."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from src.metrics.statistics import bootstrap_mean
from src.tracking.records import Cost, StoredRecord, write_record
from tests.leaderboard.conftest import MakeRecord, metric_values

FACES = 64
RECIPES = {"gfpgan": "aaaa", "severe": "bbbb"}
"""Hash by name; arms are trained on the first."""
STARTS = (100, 200, 400, 600)


@dataclass(frozen=True)
class Quality:
    """What the faces of a made-up setting are like."""

    error: float
    """Root mean squared error, as a share of the backbone's."""
    lpips: float
    identity: float
    distance: float


def quality_at(start: int, steps: int, recipe: str) -> Quality:
    """Sharper and less faithful with N; better with more steps; the error shrinks to 0.9 at N 200, and only on `severe`."""
    far = start / 1000
    gain = 0.25 if recipe == "severe" else 0.0
    error = 1 - 10 * gain * far * (0.4 - far) + (1.2 * max(0.0, far - 0.4) if gain else 0.6 * far)
    return Quality(error, 0.3 - 0.25 * far * (0.8 - far) + 0.5 / steps, 0.8 - 0.3 * far**2, 30 - 25 * far + 40 / steps)


def difface_records(
    make: MakeRecord, arms: Sequence[str] = ("swinir", "srcnn"), recipes: Sequence[str] = tuple(RECIPES)
) -> Iterator[StoredRecord]:
    """Backbones on benchmarks, alone and refined by two solvers, and CodeFormer."""
    for recipe in recipes:
        for index, arm in enumerate(arms):
            harder = (0.05 if recipe == "severe" else 0.0) + 0.02 * index
            yield setting(make, arm, recipe, "difface_backbone", {}, Quality(1.0, 0.3, 0.8, 30.0), harder)
            sampled = [("ddim", start, 20) for start in STARTS]
            sampled += [(solver, 400, steps) for solver in ("ddim", "unipc") for steps in (5, 10, 100)]
            for solver, start, steps in sampled:
                eta = {"eta": 0.5} if solver == "ddim" else {}
                knobs = {"start": start, "steps": steps, "solver": solver, "seed": 0, **eta}
                found = quality_at(start, steps * (4 if solver == "unipc" else 1), recipe)
                yield setting(make, arm, recipe, "difface", knobs, found, harder)
        for w in (0.0, 0.5, 1.0):
            made = Quality(1.1 - 0.1 * w, 0.26 + 0.04 * w, 0.7 + 0.1 * w, 18 + 10 * w)
            yield setting(make, "codeformer", recipe, "codeformer", {"fidelity": w}, made, 0.0, fidelity=w)


def setting(
    make: MakeRecord,
    arm: str,
    recipe: str,
    restorer: str,
    knobs: dict[str, Any],
    quality: Quality,
    harder: float = 0.0,
    fidelity: float | None = None,
    faces: int = FACES,
) -> StoredRecord:
    """One record whose faces are `quality`, each with its own difficulty, on the benchmark of `recipe`."""
    text = f"{arm}{recipe}{sorted(knobs.items())}"
    rng = np.random.default_rng([sum(map(ord, text)), faces])
    own = np.random.default_rng(5).uniform(-0.05, 0.05, faces)
    backbone = np.random.default_rng(6).uniform(0.05, 0.1, faces) + harder
    columns = {
        "st_lpips": quality.lpips + harder + own + 0.01 * rng.standard_normal(faces),
        "id/cos_mobilefacenet": quality.identity - harder + own + 0.02 * rng.standard_normal(faces),
        "psnr": -20 * np.log10(backbone * quality.error * np.exp(0.02 * rng.standard_normal(faces))),
    }
    return _written(make, arm, recipe, restorer, knobs, columns, quality.distance + 100 * harder, fidelity)


def _written(
    make: MakeRecord,
    arm: str,
    recipe: str,
    restorer: str,
    knobs: dict[str, Any],
    columns: dict[str, np.ndarray],
    distance: float,
    fidelity: float | None,
) -> StoredRecord:
    faces = len(columns["psnr"])
    benchmark = {"hash": f"{recipe}-faces", "name": "synthetic", "split": "test", "n": faces, "recipe": recipe}
    stored = make(
        arm,
        fidelity,
        n=faces,
        restorer=restorer,
        knobs=knobs,
        config={"recipes": {"gfpgan": RECIPES["gfpgan"]}},
        benchmark=benchmark | {"recipe_hash": RECIPES[recipe]},
        metrics=metric_values(columns, distance, faces),
        cost=Cost(1_000_000, 1 + int(knobs.get("steps", 0)), 0.1, None),
    )
    table = pd.DataFrame({"name": [f"face_{index:04d}" for index in range(faces)], **columns})
    write_record(stored.folder, stored.record, table, overwrite=True)
    return stored


def mean_ratio(restored: StoredRecord, alone: StoredRecord) -> float:
    """Mean over faces of the ratio of root mean squared errors, straight from the tables."""
    errors = [10 ** (-stored.per_image()["psnr"] / 20) for stored in (restored, alone)]
    return bootstrap_mean((errors[0] / errors[1]).to_numpy(), 100, 0).mean
