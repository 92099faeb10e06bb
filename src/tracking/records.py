"""Records: one `result.json`, and one Parquet file of per-image values, for each evaluation of one arm at one fidelity.

The leaderboard is built from these files alone; W&B shows a copy of them (conventions.md 5.3).
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from src.checkpoints.files import atomic_path
from src.checkpoints.plain_files import read_json
from src.settings.errors import UserError
from src.settings.printable import printable_texts
from src.tracking.per_image import FACE_COLUMN, read_per_image

if TYPE_CHECKING:
    import pandas

SCHEMA_VERSION = 2
READABLE_VERSIONS = (1, SCHEMA_VERSION)
"""Version 1 lacks the fields after `hardware`, at first also `licences`; version 2 at first the last two; they are empty."""
RECORD_NAME = "result.json"
PER_IMAGE_NAME = "per_image.parquet"
SEVERITY_COLUMN = "severity"
"""Column of the per-image table that says how badly the face was degraded, on the scale of `Record.severity`."""
PICTURES_FOLDER = "faces"
"""Folder in a record's own with `<rule>-<view>.png` of every face of its gallery."""
GALLERY_RULES = ("best", "median", "worst")
GALLERY_VIEWS = ("input", "restored", "truth")

KINDS: Mapping[type, tuple[str, ...]] = {
    str: ("study", "arm", "stage", "run", "identity", "created", "question", "restorer", "commit", "command"),
    int: ("seed",),
    bool: ("baseline", "dirty"),
    dict: (
        *("config", "benchmark", "weights", "licences", "metrics", "roles"),
        *("hardware", "knobs", "missing", "severity", "gallery", "packages", "diagnostics"),
    ),
}
"""What fields of a `result.json` must be."""
OF_TEXTS = ("weights", "licences", "missing", "packages", "roles")
"""Fields of a `result.json` whose values must be texts."""

Status = Literal["finished", "failed"]
Knob = str | float | int | bool | None
"""Value of one setting of a method; None where the method was left to choose."""


@dataclass(frozen=True)
class MetricValue:
    """One metric of one evaluation."""

    definition: dict
    """What was measured: id, role, direction, extractor and its hash, reference set."""
    value: float | None
    """Null where no image could be measured."""
    n: int
    """Images the value is over."""
    failures: int
    """Images that could not be measured (no face found, no embedding)."""
    interval: tuple[float, float] | None
    """95 % bootstrap interval over images; null for distribution distances."""


@dataclass(frozen=True)
class Cost:
    """What a restoration takes."""

    parameters: int
    network_evaluations: int
    """Forward passes of the largest network an image."""
    seconds_per_image: float
    """Of restoring alone: median over batches, without reading and metrics."""
    peak_memory_mb: float | None
    """Parameters at four bytes each, and how far memory grows while a batch is restored: median over batches."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """Everything that is needed to show, compare and repeat one evaluation."""

    schema_version: int = SCHEMA_VERSION
    study: str
    arm: str
    stage: str
    run: str
    """Readable run name."""
    identity: str
    """Hash of the configuration that can change the result."""
    created: str
    """UTC, ISO 8601; of two records of a study the one made later is later (`src.tracking.record_time`)."""
    question: str
    seed: int
    restorer: str
    fidelity: float | None
    """w; null where the restorer has no such knob."""
    adain: bool | None
    baseline: bool
    """Shown for orientation, without a rank."""
    status: Status
    reason: str | None
    """Why it failed."""
    commit: str
    dirty: bool
    command: str
    config: dict
    benchmark: dict
    """hash, name, split, n, recipe, recipe_hash."""
    weights: dict[str, str]
    """Network name to SHA-256 of its file."""
    licences: dict[str, str] = field(default_factory=dict)
    """Licence by name of published weights that the result depends on: networks, and extractors of metrics."""
    metrics: dict[str, MetricValue] = field(default_factory=dict)
    """By metric id."""
    roles: dict[str, str] = field(default_factory=dict)
    """Role (perceptual, distribution, identity, psnr, ssim) to the id of the metric that stands for it."""
    cost: Cost | None = None
    hardware: dict = field(default_factory=dict)
    knobs: dict[str, Knob] = field(default_factory=dict)
    """Every setting of the method, by name: w, a start step, the name of a solver."""
    missing: dict[str, str] = field(default_factory=dict)
    """Metric id to the sentence that says why it was not measured and what to do."""
    severity: dict = field(default_factory=dict)
    """Scale of the per-image column `severity`: name (with unit) and edges, rising bounds of its bins; empty without it."""
    gallery: dict = field(default_factory=dict)
    """Faces chosen by rule: metric (id), and faces: rule (best, median, worst) to name and value; pictures in `faces/`."""
    packages: dict[str, str] = field(default_factory=dict)
    """Version by name of Python and of packages that can move a measured number; empty in older records."""
    diagnostics: dict[str, float] = field(default_factory=dict)
    """How the method worked, not how good the faces are; names and units are in `src.leaderboard.diagnostics`."""


@dataclass(frozen=True)
class StoredRecord:
    """A record and the folder it lies in."""

    record: Record
    folder: Path

    def per_image(self) -> "pandas.DataFrame | None":
        """Table with the column `name`, one column a metric id (NaN where a face failed) and perhaps `severity`; None if
        there is none."""
        path = self.folder / PER_IMAGE_NAME
        return read_per_image(path) if path.is_file() else None

    def picture(self, rule: str, view: str) -> Path | None:
        """PNG of a face of the gallery (`GALLERY_RULES`, `GALLERY_VIEWS`); None if it was not kept."""
        path = self.folder / PICTURES_FOLDER / f"{rule}-{view}.png"
        return path if path.is_file() else None


@dataclass(frozen=True)
class RecordSet:
    """What `read_records` found."""

    records: list[StoredRecord]
    problems: list[str]
    """One sentence for every result.json that could not be read."""


def failed_record(record: Record, reason: str) -> Record:
    """The record of an evaluation without numbers: `record` marked as failed with the first line of `reason`."""
    sentence = _first_line(reason) or "no reason given"
    return replace(record, status="failed", reason=sentence, metrics={}, cost=None)


def write_record(
    folder: Path, record: Record, per_image: "pandas.DataFrame | None", *, overwrite: bool = False
) -> Path:
    """Write `per_image.parquet`, then `result.json`; both appear complete or not at all. Returns the JSON file's path.

    Raises:
        UserError: the folder holds a record already and `overwrite` is false.
        ValueError: the per-image table has no unique column `name`, or a column that is no metric of the record.
    """
    path = folder / RECORD_NAME
    if path.exists() and not overwrite:
        raise UserError(f"{path}: there is a record already; delete it, or write to another folder")
    text = json.dumps(_encode(record), indent=2, allow_nan=False) + "\n"
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
        _write_per_image(folder / PER_IMAGE_NAME, record, per_image)
    return path


def _write_per_image(path: Path, record: Record, table: "pandas.DataFrame | None") -> None:
    if table is None:
        path.unlink(missing_ok=True)
        return
    if FACE_COLUMN not in table or table[FACE_COLUMN].duplicated().any():
        raise ValueError(f"per-image values need a column {FACE_COLUMN!r} without duplicates")
    if unknown := sorted(set(table.columns) - {FACE_COLUMN, SEVERITY_COLUMN, *record.metrics}):
        raise ValueError(f"per-image columns {unknown} are no metrics of the record")
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False)


def read_records(root: Path) -> RecordSet:
    """All records below `root`, ordered by path; a file that cannot be read becomes a sentence in `problems`.

    Raises:
        UserError: `root` is no folder, or holds no readable record.
    """
    if not root.is_dir():
        raise UserError(f"records: {str(root)!r} is not a folder; give the folder that the runs were written to")
    records, problems = [], []
    for path in sorted(root.rglob(RECORD_NAME)):
        try:
            records.append(StoredRecord(read_record(path), path.parent))
        except UserError as error:
            problems.append(str(error))
    if not records:
        found = "; ".join(problems) if problems else f"no {RECORD_NAME} in it or below it"
        raise UserError(f"records: nothing readable in {str(root)!r}: {found}; train or evaluate an arm first")
    return RecordSet(records, problems)


def read_record(path: Path) -> Record:
    """The record in a `result.json`.

    Raises:
        UserError: the file is no JSON object, of another schema version, or lacks a field or holds one of another kind.
    """
    try:
        data = printable_texts(read_json(path))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not valid JSON ({_first_line(error)}); evaluate this run again") from None
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version not in READABLE_VERSIONS:
        known = " and ".join(map(str, READABLE_VERSIONS))
        raise UserError(f"{path}: schema_version is {version!r}, this code reads {known}; evaluate this run again")
    try:
        return _decode(data)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UserError(f"{path}: not a record of this suite ({_first_line(error)}); evaluate this run again") from None


def _encode(record: Record) -> dict[str, Any]:
    data: dict[str, Any] = _plain(asdict(record))
    for metric in data["metrics"].values():
        if metric["interval"] is not None and None in metric["interval"]:
            metric["interval"] = None
    return data


def _decode(data: dict[str, Any]) -> Record:
    names = {entry.name for entry in fields(Record)}
    late = ("licences", "knobs", "missing", "severity", "gallery") if data["schema_version"] == 1 else ()
    data = {**{name: {} for name in (*late, "diagnostics", "packages")}, **data}
    if names != set(data):
        raise ValueError(f"missing or unknown fields: {', '.join(sorted(names ^ set(data)))}")
    if data["status"] not in ("finished", "failed"):
        raise ValueError(f"status {data['status']!r} is neither finished nor failed")
    _check_kinds(data)
    metrics = {name: _metric(value) for name, value in data["metrics"].items()}
    fidelity = float(data["fidelity"]) if data["fidelity"] is not None else None
    diagnostics = {name: float(value) for name, value in data.pop("diagnostics").items() if value is not None}
    data |= {"metrics": metrics, "cost": _cost(data["cost"]), "fidelity": fidelity}
    return Record(**data, diagnostics=diagnostics)


def _check_kinds(data: Mapping[str, Any]) -> None:
    """Raises ValueError for the first field that is of another kind."""
    for kind, names in KINDS.items():
        if wrong := next((name for name in names if not isinstance(data[name], kind)), None):
            raise ValueError(f"{wrong} is {data[wrong]!r:.100}, not a {kind.__name__}")
    entries = ((name, *entry) for name in OF_TEXTS for entry in data[name].items())
    if found := next(((name, key, value) for name, key, value in entries if not isinstance(value, str)), None):
        name, key, value = found
        raise ValueError(f"{name}.{key} is {value!r:.100}, not a text")


def _cost(data: Mapping[str, Any] | None) -> Cost | None:
    if data is None:
        return None
    memory = data["peak_memory_mb"]
    return Cost(
        parameters=int(data["parameters"]),
        network_evaluations=int(data["network_evaluations"]),
        seconds_per_image=float(data["seconds_per_image"]),
        peak_memory_mb=float(memory) if memory is not None else None,
    )


def _metric(data: Mapping[str, Any]) -> MetricValue:
    interval = data["interval"]
    pair = (float(interval[0]), float(interval[1])) if interval is not None else None
    value = float(data["value"]) if data["value"] is not None else None
    return MetricValue(dict(data["definition"]), value, int(data["n"]), int(data["failures"]), pair)


def _plain(value: Any) -> Any:
    """JSON's own types: numpy scalars become numbers, paths texts, and what is not finite null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, bool | int | str) or value is None else str(value)


def _first_line(error: object) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__
