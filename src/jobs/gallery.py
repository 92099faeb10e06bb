"""The faces of a record that are shown: chosen by rule, never by eye."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from src.data.benchmark import Benchmark
from src.data.image_file import write_png
from src.metrics.suite import SuiteResult
from src.settings.metric_roles import role_under
from src.tracking.records import GALLERY_RULES, PICTURES_FOLDER

Face = UInt8[np.ndarray, "s s 3"]
ROLES = ("identity_drop", "identity", "perceptual", "no_reference", "psnr")
"""What the faces are ordered by: the first of these roles that was measured."""


def chosen_faces(result: SuiteResult, guides: Collection[str] = ()) -> tuple[str, dict[str, int]] | None:
    """A metric, and the places of the best, the median and the worst face on it; None if nothing a face was measured.

    `guides` are SHA-256 of the recognisers that guided, by which no face is chosen.
    """
    roles = {
        name: role_under(guides, definition.role, definition.extractor_sha256)
        for name, definition in result.definitions.items()
    }
    for role in ROLES:
        for name, values in result.per_image.items():
            if roles[name] == role and np.isfinite(values).any():
                return name, _by_rule(values, result.definitions[name].direction == "higher")
    return None


def _by_rule(values: Float[np.ndarray, "n"], higher_is_better: bool) -> dict[str, int]:
    order = np.argsort(-values if higher_is_better else values, kind="stable")
    measured = order[: int(np.isfinite(values).sum())]
    return dict(
        zip(GALLERY_RULES, (int(measured[0]), int(measured[(len(measured) - 1) // 2]), int(measured[-1])), strict=True)
    )


def write_gallery(
    folder: Path, result: SuiteResult, benchmark: Benchmark, restored: Mapping[int, Face], guides: Collection[str] = ()
) -> dict[str, Any]:
    """Write the pictures of the chosen faces below `folder`; returns what the record says of them."""
    chosen = chosen_faces(result, guides)
    if chosen is None:
        return {}
    metric, places = chosen
    for rule, index in places.items():
        views = {"input": benchmark.lq[index], "restored": restored[index]}
        if benchmark.hq is not None:
            views["truth"] = benchmark.hq[index]
        for view, face in views.items():
            write_png(folder / PICTURES_FOLDER / f"{rule}-{view}.png", face)
    values = result.per_image[metric]
    faces = {rule: {"name": benchmark.names[index], "value": float(values[index])} for rule, index in places.items()}
    return {"metric": metric, "faces": faces}
