"""Records survive the disk, or leave nothing behind."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from src.checkpoints.plain_files import DEEPEST
from src.settings.errors import UserError
from src.tracking.records import (
    OF_TEXTS,
    PER_IMAGE_NAME,
    RECORD_NAME,
    Cost,
    MetricValue,
    Record,
    StoredRecord,
    failed_record,
    read_record,
    read_records,
    write_record,
)

RECORD = Record(
    study="study",
    arm="all_fixed",
    stage="cft",
    run="tiny64-all_fixed-s0",
    identity="0123456789",
    created="2030-01-01T00:00:00+00:00",
    question="Why?",
    seed=0,
    restorer="codeformer",
    fidelity=0.5,
    adain=True,
    baseline=False,
    status="finished",
    reason=None,
    commit="unknown",
    dirty=False,
    command="python -m src.train",
    config={"cft": {"betas": [0.9, 0.99]}},
    benchmark={"hash": "abc", "n": 2},
    weights={"codeformer": "def"},
    metrics={"psnr": MetricValue({"id": "psnr", "direction": "higher"}, 23.5, 2, 0, (22.0, 25.0))},
    roles={"psnr": "psnr"},
    cost=Cost(10, 1, 0.5, None),
)
TABLE = pd.DataFrame({"name": ["a", "b"], "psnr": [22.0, np.nan]})


def nested(depth: int) -> dict:
    """Objects within each other."""
    value: dict = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


def test_round_trip(tmp_path: Path) -> None:
    path = write_record(tmp_path / "run", RECORD, TABLE)
    assert read_record(path) == RECORD
    stored = read_records(tmp_path).records
    assert [entry.record for entry in stored] == [RECORD]
    pd.testing.assert_frame_equal(stored[0].per_image(), TABLE)
    assert sorted(file.name for file in path.parent.iterdir()) == [PER_IMAGE_NAME, RECORD_NAME]


def test_what_is_not_finite_becomes_null(tmp_path: Path) -> None:
    nan = float("nan")
    metric = MetricValue({"id": "psnr", "reference": np.float32(1.5)}, float("inf"), 1, 1, (nan, nan))
    path = write_record(tmp_path, replace(RECORD, metrics={"psnr": metric}, config={"p": Path("x"), "v": nan}), None)
    assert "NaN" not in path.read_text()
    assert "Infinity" not in path.read_text()
    back = read_record(path)
    assert back.metrics["psnr"] == MetricValue({"id": "psnr", "reference": 1.5}, None, 1, 1, None)
    assert back.config == {"p": "x", "v": None}


def test_refuses_to_overwrite(tmp_path: Path) -> None:
    path = write_record(tmp_path, RECORD, TABLE)
    with pytest.raises(UserError, match="there is a record already"):
        write_record(tmp_path, replace(RECORD, seed=1), TABLE)
    assert read_record(path).seed == 0
    write_record(tmp_path, replace(RECORD, seed=1), None, overwrite=True)
    assert read_record(path).seed == 1
    assert StoredRecord(RECORD, tmp_path).per_image() is None


@pytest.mark.parametrize("broken", ["to_parquet", "write_text"])
def test_failure_while_writing_keeps_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def full_disk(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    write_record(tmp_path / "old", RECORD, TABLE)
    monkeypatch.setattr(pd.DataFrame if broken == "to_parquet" else Path, broken, full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_record(tmp_path / "new", RECORD, TABLE)
    with pytest.raises(OSError, match="No space left"):
        write_record(tmp_path / "old", replace(RECORD, seed=1), TABLE.assign(psnr=0.0), overwrite=True)
    assert list((tmp_path / "new").iterdir()) == []
    assert read_record(tmp_path / "old" / RECORD_NAME) == RECORD
    pd.testing.assert_frame_equal(StoredRecord(RECORD, tmp_path / "old").per_image(), TABLE)


@pytest.mark.parametrize(
    "table", [TABLE.drop(columns="name"), TABLE.assign(name="a"), TABLE.assign(unknown=0.0)], ids=str
)
def test_a_wrong_table_is_refused(tmp_path: Path, table: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="per-image"):
        write_record(tmp_path, RECORD, table)
    assert not (tmp_path / RECORD_NAME).exists()


def test_one_corrupt_record_does_not_hide_the_others(tmp_path: Path) -> None:
    write_record(tmp_path / "good", RECORD, None)
    data = json.loads((tmp_path / "good" / RECORD_NAME).read_text())
    lacking = {key: value for key, value in data.items() if key != "seed"}
    texts = {
        "truncated": json.dumps(data)[:-20],
        "foreign": json.dumps([1, 2]),
        "newer": json.dumps(data | {"schema_version": 3}),
        "lacking": json.dumps(lacking),
        "mistyped": json.dumps(data | {"metrics": {"psnr": 3}}),
        "versionless": json.dumps(data | {"packages": {"torch": 5}}),
        "unpacked": json.dumps(data | {"packages": "x"}),
        "deep": json.dumps(data | {"config": nested(600)}),
    }
    for name, text in texts.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / RECORD_NAME).write_text(text)
    found = read_records(tmp_path)
    assert [entry.record for entry in found.records] == [RECORD]
    assert sorted(Path(problem.split(":")[0]).parent.name for problem in found.problems) == sorted(texts)
    for reason in ("seed", "packages.torch is 5, not a text", "packages is 'x', not a dict", "more than 100 deep"):
        assert any(reason in problem for problem in found.problems), reason


@pytest.mark.parametrize("name", OF_TEXTS)
def test_values_that_must_be_texts_are_checked(tmp_path: Path, name: str) -> None:
    path = write_record(tmp_path, RECORD, None)
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: {"a": None}}))
    with pytest.raises(UserError, match=rf"{name}\.a is None, not a text"):
        read_record(path)


def test_what_is_nested_as_deep_as_allowed_is_read(tmp_path: Path) -> None:
    path = write_record(tmp_path, RECORD, None)
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {"config": nested(DEEPEST - 1)}))
    assert read_record(path).config == nested(DEEPEST - 1)
    path.write_text(json.dumps(data | {"config": nested(DEEPEST)}))
    with pytest.raises(UserError, match="nested more than 100 deep"):
        read_record(path)


def test_knobs_of_every_kind_come_back(tmp_path: Path) -> None:
    knobs = {"start": 400, "eta": 0.5, "solver": "ddim", "tiled": True, "seed": None}
    assert read_record(write_record(tmp_path, replace(RECORD, knobs=knobs), None)).knobs == knobs


def test_a_record_of_version_1_is_read_without_the_later_fields(tmp_path: Path) -> None:
    path = write_record(tmp_path, RECORD, None)
    data = json.loads(path.read_text())
    later = ("licences", "knobs", "missing", "severity", "gallery")
    path.write_text(json.dumps({key: value for key, value in data.items() if key not in later} | {"schema_version": 1}))
    assert read_record(path) == replace(RECORD, schema_version=1, licences={})


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a folder"):
        read_records(tmp_path / "absent")
    with pytest.raises(UserError, match=r"no result\.json"):
        read_records(tmp_path)
    (tmp_path / RECORD_NAME).write_text("{")
    with pytest.raises(UserError, match="not valid JSON"):
        read_records(tmp_path)


def test_a_truncated_table_is_a_sentence(tmp_path: Path) -> None:
    write_record(tmp_path, RECORD, TABLE)
    path = tmp_path / PER_IMAGE_NAME
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(UserError, match="unreadable"):
        StoredRecord(RECORD, tmp_path).per_image()


def test_failed_record(tmp_path: Path) -> None:
    failed = failed_record(RECORD, "loss g/l1 is NaN\nTraceback ...")
    assert read_record(write_record(tmp_path, failed, None)) == failed
    assert (failed.status, failed.reason, failed.metrics, failed.cost) == ("failed", "loss g/l1 is NaN", {}, None)


def test_every_committed_record_can_be_read(root: Path) -> None:
    found = read_records(root / "experiments")
    assert found.problems == []
    assert len(found.records) > 30
