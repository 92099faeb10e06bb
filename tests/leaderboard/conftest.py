"""Made-up records: paired per-image values with a known difference between arms."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from src.metrics.definition import MetricDefinition
from src.metrics.statistics import bootstrap_mean
from src.tracking.records import Cost, MetricValue, Record, StoredRecord, write_record

DEFINITIONS: dict[str, dict] = {
    definition.id: definition.as_dict()
    for definition in (
        MetricDefinition(
            id=name, role=role, direction=direction, range="made up", formula="f", source="s", extractor_sha256=sha256
        )
        for name, role, direction, sha256 in (
            ("st_lpips", "perceptual", "lower", "ab" * 32),
            ("fd_mobilenetv2", "distribution", "lower", "cd" * 32),
            ("id/cos_mobilefacenet", "identity", "higher", "ef" * 32),
            ("psnr", "psnr", "higher", None),
        )
    )
}
ROLES = {definition["role"]: name for name, definition in DEFINITIONS.items()}
MakeRecord = Callable[..., StoredRecord]


def metric_values(columns: dict[str, np.ndarray], distance: float, n: int) -> dict[str, MetricValue]:
    """Means with intervals, and a distribution distance without one."""
    values = {"fd_mobilenetv2": MetricValue(DEFINITIONS["fd_mobilenetv2"], distance, n, 0, None)}
    for name, column in columns.items():
        found = bootstrap_mean(column, 1000, 0)
        values[name] = MetricValue(DEFINITIONS[name], found.mean, found.n, found.dropped, (found.low, found.high))
    return values


def bare(arm: str, fidelity: float | None, seed: int, n: int) -> Record:
    """A record without values."""
    return Record(
        study="made_up",
        arm=arm,
        stage="cft",
        run=f"tiny64-{arm}-s{seed}",
        identity=f"{arm}-{seed}",
        created="2030-01-01T00:00:00+00:00",
        question="Which arm is best?",
        seed=seed,
        restorer="codeformer",
        fidelity=fidelity,
        adain=False,
        baseline=False,
        status="finished",
        reason=None,
        commit="0123456789abcdef",
        dirty=False,
        command="python -m src.train",
        config={"seed": seed},
        benchmark={"hash": "bench" * 8, "name": "synthetic", "split": "test", "n": n, "recipe": "codeformer_large"},
        weights={"codeformer": "ef" * 32},
        roles=ROLES,
        cost=Cost(1_234_567, 1, 0.0123, None),
        hardware={"cpu": "made up"},
    )


@pytest.fixture
def make(tmp_path: Path) -> MakeRecord:
    """`maker` below this test's own folder."""
    return maker(tmp_path)


@pytest.fixture(scope="module")
def make_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[MakeRecord, Path]:
    """`maker` and its folder, for records that all tests of a module read."""
    folder = tmp_path_factory.mktemp("shared")
    return maker(folder), folder


def maker(root: Path) -> MakeRecord:
    """Writes a record whose `st_lpips` is the faces' common difficulty, plus `shift`, plus noise of `spread`."""
    count = 0

    def made(
        arm: str,
        fidelity: float | None = 0.5,
        *,
        shift: float = 0.0,
        spread: float = 0.01,
        seed: int = 0,
        n: int = 64,
        **changes: Any,
    ) -> StoredRecord:
        nonlocal count
        count += 1
        rng = np.random.default_rng([count, seed])
        difficulty = np.random.default_rng(99).uniform(0.1, 0.5, n)
        lpips = difficulty + shift + spread * rng.standard_normal(n)
        columns = {"st_lpips": lpips, "id/cos_mobilefacenet": 1 - lpips, "psnr": 30 - 20 * lpips}
        metrics = metric_values(columns, 10 + 10 * shift, n)
        record = replace(replace(bare(arm, fidelity, seed, n), metrics=metrics), **changes)
        table = pd.DataFrame({"name": [f"face_{index:04d}" for index in range(n)], **columns})
        if record.status == "failed":
            record = replace(record, metrics={}, cost=None)
        folder = root / "records" / f"{count:03d}"
        write_record(folder, record, table if record.metrics else None)
        return StoredRecord(record, folder)

    return made
