"""The review notebook, executed: on the committed study, on a made-up one with known answers, and on hardly anything."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell

from src.leaderboard.assemble import Choices, study_tables
from src.leaderboard.ranking import placed
from src.metrics.statistics import bootstrap_mean
from src.tracking.records import MetricValue, StoredRecord, read_records, write_record
from tests.leaderboard.conftest import DEFINITIONS, maker

NOTEBOOK = "notebooks/leaderboard_review.ipynb"
COMMITTED = "experiments/cft_sweep_synthetic/records"
IDENTITY = "id/cos_mobilefacenet"
PROBE = """
import json, sys
marks = {arm: {label: mark(change) for label, change in found.items()} for arm, found in bins.items()}
gained = {name: {arm: change.mean for arm, change in found.items()} for name, found in gains.items()}
print(json.dumps({
    "draws": draws.to_dict(),
    "ranks": {name: [[row.arm, row.standing.rank] for row in opinion] for name, opinion in opinions.items()},
    "marks": marks,
    "paid": {arm: share.mean for arm, share in paid.items() if share.n},
    "gains": gained,
    "resolutions": {name: table.to_dict("index") for name, table in resolutions.items()},
    "spearman": spearman.to_dict(),
    "heavy": sorted({"torch", "wandb", "pytorch_lightning"} & set(sys.modules)),
}))
"""
"""A last cell that tells what the others have computed."""


@dataclass(frozen=True)
class Review:
    """What an executed notebook shows."""

    text: str
    """Everything that it printed, as one line."""
    pictures: int
    found: dict[str, Any]
    """What the probe told."""


Execute = Callable[[Path | None], Review]


@pytest.fixture(scope="module")
def execute(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Execute:
    """Runs the notebook on a folder of records; None leaves it to the notebook. The home folder is a fresh one."""
    home = tmp_path_factory.mktemp("home")

    def executed(records: Path | None) -> Review:
        notebook = nbformat.read(root / NOTEBOOK, as_version=4)
        notebook.cells.append(new_code_cell(PROBE))
        nbformat.write(notebook, home / "probed.ipynb")
        chosen = {} if records is None else {"BFR_RECORDS": str(records)}
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("run_notebook.py")), "probed.ipynb", "executed.ipynb"],
            cwd=home,
            env={**_environment(home), **chosen, "PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == 0, done.stderr
        return _shown(nbformat.read(home / "executed.ipynb", as_version=4))

    return executed


def _environment(home: Path) -> dict[str, str]:
    """The present one without folders and choices of the person who runs the tests."""
    places = ("HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BFR_", "XDG_"))}
    return {**kept, **dict.fromkeys(places, str(home)), "OMP_NUM_THREADS": "1"}


def _shown(notebook: nbformat.NotebookNode) -> Review:
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    *printed, told = map(_printed, cells)
    pictures = sum("image/png" in output.get("data", {}) for output in outputs)
    return Review(" ".join(" ".join(printed).split()), pictures, json.loads(told))


def _printed(cell: nbformat.NotebookNode) -> str:
    """What a cell printed; the kernel may send it in pieces."""
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def test_is_committed_without_outputs(root: Path) -> None:
    notebook = nbformat.read(root / NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.id for cell in code if cell.outputs or cell.execution_count] == []


def test_agrees_with_the_leaderboard_of_the_committed_study(execute: Execute, root: Path) -> None:
    review = execute(None)
    records = read_records(root / COMMITTED).records
    ranking = study_tables(records, Choices(resamples=10_000))[0].rankings[0]
    assert " ".join(ranking.verdict.split()) in review.text
    for metric in ("st_lpips", "psnr"):
        rows = placed(study_tables(records, Choices(primary=metric))[0].rankings[0].rows)
        assert review.found["ranks"][metric] == [[row.arm, row.standing and row.standing.rank] for row in rows]
    assert sum(review.found["draws"].values()) == pytest.approx(1)
    assert review.pictures == 2
    assert [f"Answer {number}: " in review.text for number in (1, 2, 3)] == [True] * 3
    assert review.found["heavy"] == []


def test_finds_what_was_put_into_a_made_up_study(execute: Execute, tmp_path: Path) -> None:
    values = _known_study(tmp_path)
    review = execute(tmp_path)
    text, found = review.text, review.found
    assert "Answer 1: yes by st_lpips, for other faces of this kind. Best on st_lpips ↓: good (w 0.5)" in text
    # Two standard errors and a third ahead of the next arm.
    assert found["draws"]["good"] == pytest.approx(NormalDist().cdf(2.3), abs=0.01)
    assert "Another metric: 3 of 4 others put good first; first are bad by psnr." in text

    assert "Answer 2: the faces of bins lost to torn (1 to 4)." in text
    assert found["marks"]["torn"] == {"1 to 4": "-", "4 to 8": "+", "8 to 16": "+"}
    assert set(found["marks"]["bad"].values()) == {"+"}
    assert found["paid"]["good"] == np.mean(values["good"][IDENTITY] < values["input"][IDENTITY])

    assert "Answer 3: id/cos_mobilefacenet and id/cos_other correlate over faces by -1.00 to 1.00." in text
    assert found["spearman"]["id/cos_other"]["bad (w 0.5)"] == pytest.approx(-1)
    expected = np.mean(values["good"][IDENTITY] - values["input"][IDENTITY])
    assert found["gains"][IDENTITY]["good"] == pytest.approx(expected)
    difference = values["bad"]["st_lpips"] - values["good"]["st_lpips"]
    smallest = (1.959964 + 0.841621) * np.std(difference, ddof=1) / 8
    assert found["resolutions"]["st_lpips"]["bad"]["detectable"] == pytest.approx(smallest, rel=1e-5)
    assert "be trusted to show: lucky on st_lpips." in text


def test_says_what_it_cannot_ask(execute: Execute, tmp_path: Path) -> None:
    stored = maker(tmp_path)("only")
    metrics = {"st_lpips": replace(stored.record.metrics["st_lpips"], interval=None)}
    write_record(stored.folder, replace(stored.record, metrics=metrics, roles={}), None, overwrite=True)
    review = execute(tmp_path)
    assert "Answer 1: there is no lead, only is alone." in review.text
    assert "Answer 2: these records cannot tell." in review.text
    assert "Answer 3: there is no identity metric." in review.text
    assert review.text.count("Not asked: ") == 7
    assert review.text.count("Not drawn: ") == 2
    assert review.pictures == 0


def _known_study(root: Path) -> dict[str, dict[str, np.ndarray]]:
    """Four arms and the degraded input on 64 faces; returns their values by arm and metric.

    `good` leads; `lucky` is 2.3 standard errors behind; `torn` is better on the easiest faces alone; `bad` is worse
    everywhere but in PSNR, and a second recogniser sees the reverse of what the first one does.
    """
    make = maker(root)
    good, lucky, torn, bad = make("good"), make("lucky", shift=0.03), make("torn", shift=0.05), make("bad", shift=0.1)
    degraded = make("input", None, shift=0.15, spread=0.2, baseline=True)
    severity = np.linspace(1, 16, 64)
    base = _column(good, "st_lpips")
    noise = np.random.default_rng(3).standard_normal(64)
    noise = 0.01 * (noise - noise.mean()) / noise.std(ddof=1)
    changed = {
        "good": (good, {}, 1.0),
        "lucky": (lucky, {"st_lpips": base + noise + 2.3 * 0.01 / 8}, 1.0),
        "torn": (torn, {"st_lpips": base + np.where(severity < 4, -0.03, 0.03)}, 1.0),
        "bad": (bad, {"psnr": _column(good, "psnr") + 1}, -1.0),
        "input": (degraded, {}, 1.0),
    }
    values = {}
    for arm, (stored, columns, agreement) in changed.items():
        cosine = _column(stored, IDENTITY)
        columns |= {"id/cos_other": agreement * cosine**3 / 2}
        # One arm keeps what the others leave to be found from the input.
        columns |= {"id/drop": _column(degraded, IDENTITY) - cosine} if arm == "good" else {}
        values[arm] = _rewrite(stored, columns, severity)
    return values


def _column(stored: StoredRecord, metric: str) -> np.ndarray:
    table = stored.per_image()
    assert table is not None
    return table[metric].to_numpy()


def _rewrite(stored: StoredRecord, columns: dict[str, np.ndarray], severity: np.ndarray) -> dict[str, np.ndarray]:
    """Put columns and a severity into a record; returns all its values by metric."""
    table = stored.per_image()
    assert table is not None
    table = table.assign(**columns, severity=severity)
    metrics = stored.record.metrics | {name: _metric_value(name, table[name]) for name in columns}
    scale = {"name": "downscale factor r", "edges": [1.0, 4.0, 8.0, 16.0]}
    write_record(stored.folder, replace(stored.record, metrics=metrics, severity=scale), table, overwrite=True)
    return {name: table[name].to_numpy() for name in metrics if name in table}


def _metric_value(name: str, values: pd.Series) -> MetricValue:
    definition = DEFINITIONS.get(name) or {
        **DEFINITIONS[IDENTITY],
        "id": name,
        **({"role": "identity_drop", "direction": "lower"} if name == "id/drop" else {"extractor_sha256": "09" * 32}),
    }
    found = bootstrap_mean(values.to_numpy(), 1000, 0)
    return MetricValue(definition, found.mean, found.n, found.dropped, (found.low, found.high))
