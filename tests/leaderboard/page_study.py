"""A made-up study with everything that a page can show: knobs, baselines, failures, severity and pictures."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from src.leaderboard.assemble import Choices, study_tables
from src.leaderboard.study import StudyTable
from src.tracking.records import GALLERY_RULES, GALLERY_VIEWS, StoredRecord, write_record

MakeRecord = Callable[..., StoredRecord]
SEVERITY = {"name": "downscale factor r", "edges": [1.0, 4.0, 8.0, 16.0]}


def full_study(make: MakeRecord, arm: str = "adain") -> list[StudyTable]:
    """Two arms over w, one of them called `arm`, a stochastic one with seeds, a baseline and a failure."""
    records = [
        *(make(arm, w, shift=0.02 * w) for w in (0.0, 0.5, 1.0)),
        *(make("plain", w, shift=0.05 - 0.02 * w, spread=0.02) for w in (0.0, 0.5, 1.0)),
        *(make("diffusion", None, shift=0.01, seed=seed, knobs={"seed": seed, "steps": 20}) for seed in (0, 1)),
        make("input", None, shift=0.2, baseline=True, config={}, weights={}),
        make("broken", status="failed", reason="the loss became NaN"),
    ]
    return tables([with_severity(with_faces(stored)) if stored.record.metrics else stored for stored in records])


def tables(records: list[StoredRecord]) -> list[StudyTable]:
    """The tables of records, with few resamples."""
    return study_tables(records, Choices(resamples=200))


def with_severity(stored: StoredRecord, scale: dict[str, Any] = SEVERITY) -> StoredRecord:
    """The same record with a severity for every face, from 1 to 16."""
    table = stored.per_image()
    assert table is not None
    table["severity"] = np.linspace(1, 16, len(table))
    return _rewritten(stored, table, severity=scale)


def with_faces(stored: StoredRecord, size: int = 64) -> StoredRecord:
    """The same record with a gallery of plain pictures of `size` pixels a side."""
    faces = {
        rule: {"name": f"face_{index:04d}", "value": 0.9 - 0.2 * index} for index, rule in enumerate(GALLERY_RULES)
    }
    for index, (rule, view) in enumerate((rule, view) for rule in GALLERY_RULES for view in GALLERY_VIEWS):
        path = stored.folder / "faces" / f"{rule}-{view}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (size, size), (25 * index, 200 - 20 * index, 90)).save(path)
    return _rewritten(stored, stored.per_image(), gallery={"metric": "id/cos_mobilefacenet", "faces": faces})


def _rewritten(stored: StoredRecord, table: Any, **changes: Any) -> StoredRecord:
    record = replace(stored.record, **changes)
    write_record(stored.folder, record, table, overwrite=True)
    return StoredRecord(record, stored.folder)


def page_path(folder: Path) -> Path:
    """Where a test's page is written."""
    return folder / "page" / "leaderboard.html"
