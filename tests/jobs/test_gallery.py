"""The faces of a gallery are chosen by rule."""

import math
from pathlib import Path

import numpy as np
import pytest

from src.data.image_file import read_rgb
from src.jobs.gallery import chosen_faces, write_gallery
from src.metrics.definition import MetricDefinition
from src.metrics.suite import SuiteResult
from tests.jobs.test_severity import benchmark_with


def result_of(**columns: tuple[str, str, list[float]]) -> SuiteResult:
    """Role, direction and values by metric id."""
    per_image = {name: np.array(values) for name, (_, _, values) in columns.items()}
    definitions = {
        name: MetricDefinition(id=name, role=role, direction=direction, range="", formula="", source="")
        for name, (role, direction, _) in columns.items()
    }
    return SuiteResult(per_image, {}, {}, definitions, {})


DROP = ("identity_drop", "lower", [0.4, math.nan, -0.1, 0.2, 0.9])
PSNR = ("psnr", "higher", [20.0, 21.0, 22.0, 23.0, 19.0])


def test_identity_drop_chooses_before_any_other_metric() -> None:
    assert chosen_faces(result_of(psnr=PSNR, drop=DROP)) == ("drop", {"best": 2, "median": 3, "worst": 4})
    assert chosen_faces(result_of(psnr=PSNR)) == ("psnr", {"best": 3, "median": 1, "worst": 4})
    assert chosen_faces(result_of(drop=("identity_drop", "lower", [math.nan] * 5))) is None


@pytest.mark.parametrize("has_truth", [True, False])
def test_the_pictures_are_those_of_the_chosen_faces(has_truth: bool, tmp_path: Path) -> None:
    benchmark = benchmark_with([1, 2, 3, 4, 5], has_truth=has_truth)
    restored = {index: np.full((8, 8, 3), 200 + index, np.uint8) for index in range(5)}
    shown = write_gallery(tmp_path, result_of(drop=DROP), benchmark, restored)
    assert shown == {
        "metric": "drop",
        "faces": {
            "best": {"name": "face2", "value": -0.1},
            "median": {"name": "face3", "value": 0.2},
            "worst": {"name": "face4", "value": 0.9},
        },
    }
    assert np.array_equal(read_rgb(tmp_path / "faces" / "worst-restored.png"), restored[4])
    assert np.array_equal(read_rgb(tmp_path / "faces" / "median-input.png"), benchmark.lq[3])
    assert (tmp_path / "faces" / "best-truth.png").is_file() == has_truth
