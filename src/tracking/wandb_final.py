"""What an evaluation adds to a W&B run: final numbers by stable keys, and the table of fixed faces."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import UInt8
from numpy import ndarray

from src.faces.grid import image_grid
from src.tracking.records import FACE_COLUMN, SEVERITY_COLUMN, Record, StoredRecord

FACES_TABLE = "final/faces"
FACES_PICTURE = "final/face_grid"
"""The faces of the table in one picture: media panels show pictures, not tables."""
BENCHMARK_HASH = "benchmark_hash"
"""Key of the run's configuration."""

Pictures = Mapping[str, Mapping[str, UInt8[ndarray, "_ _ 3"]]]
"""By face name, then by column in the order in which they are shown (input, each method, truth); uint8 RGB."""


def setting_of(record: Record) -> str:
    """Name of what a method was set to: `w0.5`, `ddim-start400-steps20`; of a baseline, or without a knob, its arm.

    The seed of a sampling is named where it is not 0, and the benchmark's recipe where the run was not trained on it: one
    run may be measured on several.
    """
    return _turned(record) + _foreign_recipe(record)


def _foreign_recipe(record: Record) -> str:
    trained_on, recipe = record.config.get("recipes"), record.benchmark.get("recipe_hash")
    if not isinstance(trained_on, dict) or not trained_on or not recipe or recipe in trained_on.values():
        return ""
    return f"-{record.benchmark['recipe']}"


def _turned(record: Record) -> str:
    if record.baseline:
        return record.arm
    knobs = {name: value for name, value in sorted(record.knobs.items()) if name != "fidelity"}
    if not knobs.get("seed"):
        knobs.pop("seed", None)
    words = [value for value in knobs.values() if isinstance(value, str)]
    turned = [f"{name}{value:g}" for name, value in knobs.items() if _is_number(value)]
    weight = [] if record.fidelity is None else [f"w{record.fidelity:g}"]
    return "-".join([*weight, *words, *turned]) or record.arm


def final_key(metric: str, setting: str | None = None) -> str:
    """Summary key of a metric: `final/<metric id>@<setting>`, without a setting `final/<metric id>`.

    A point becomes an underscore (`final/psnr@w0_5`): panels and filters of W&B read it as a step into a nested value.
    """
    name = metric if setting is None else f"{metric}@{setting}"
    return f"final/{name}".replace(".", "_")


def final_numbers(records: Sequence[StoredRecord]) -> dict[str, float]:
    """Final numbers by summary key, finite ones alone.

    A run that evaluated one method at one setting also has them without the setting.
    """
    shown = [stored.record for stored in records if not stored.record.baseline]
    alone = shown[0] if len(shown) == 1 else None
    numbers = {}
    for record in (stored.record for stored in records):
        for name, value in _finite(record).items():
            numbers[final_key(name, setting_of(record))] = value
            if alone is record:
                numbers[final_key(name)] = value
    return numbers


def _finite(record: Record) -> dict[str, float]:
    """Metrics by their id, and diagnostics as `diagnostic/<name>`."""
    values = {metric: measured.value for metric, measured in record.metrics.items()}
    values |= {f"diagnostic/{name}": value for name, value in record.diagnostics.items()}
    return {name: value for name, value in values.items() if value is not None and math.isfinite(value)}


def faces_table(records: Sequence[StoredRecord], images: Pictures) -> Any:
    """A `wandb.Table`, one row a face: id, severity where it is known, its pictures, every per-image number.

    Numbers are headed `<metric id>@<setting>` and empty where the face could not be measured.
    """
    import wandb

    pictures = list(dict.fromkeys(column for row in images.values() for column in row))
    severity, numbers = _per_image(records)
    known = [SEVERITY_COLUMN] if severity else []
    columns: list[str | int] = ["id", *known, *pictures, *numbers]
    table = wandb.Table(columns=columns)
    for face, row in images.items():
        shown = [wandb.Image(row[column]) if column in row else None for column in pictures]
        degraded = [severity.get(face)] if severity else []
        table.add_data(face, *degraded, *shown, *(values.get(face) for values in numbers.values()))
    return table


def faces_picture(images: Pictures) -> Any:
    """A `wandb.Image` of the same faces, one row each, columns labelled."""
    import wandb

    columns = list(dict.fromkeys(column for row in images.values() for column in row))
    complete = {face: row for face, row in images.items() if set(columns) <= set(row)}
    if not complete:
        return None
    grid = image_grid([[row[column] for column in columns] for row in complete.values()], column_labels=columns)
    return wandb.Image(grid, caption=", ".join(complete))


def _per_image(records: Sequence[StoredRecord]) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Severity by face name, and `<metric id>@<setting>` to face name to value."""
    severity: dict[str, float] = {}
    numbers: dict[str, dict[str, float]] = {}
    for stored in records:
        table = stored.per_image()
        if table is None:
            continue
        for column, values in table.set_index(FACE_COLUMN).items():
            by_face = {str(face): float(value) for face, value in values.dropna().items()}
            if column == SEVERITY_COLUMN:
                severity = severity or by_face
            else:
                numbers[f"{column}@{setting_of(stored.record)}"] = by_face
    return severity, numbers


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
