"""What an evaluation adds to the summary of a run."""

from dataclasses import replace
from pathlib import Path

import pytest

from src.tracking.records import MetricValue, StoredRecord
from src.tracking.wandb_final import final_numbers
from tests.leaderboard.conftest import DEFINITIONS, bare


@pytest.mark.parametrize("absent", [None, float("nan"), float("inf")])
def test_only_finite_numbers_reach_the_summary(tmp_path: Path, absent: float | None) -> None:
    values = {"psnr": 23.5, "st_lpips": absent}
    metrics = {name: MetricValue(DEFINITIONS[name], value, 8, 0, None) for name, value in values.items()}
    stored = StoredRecord(replace(bare("arm", 0.5, 0, 8), metrics=metrics), tmp_path)
    assert final_numbers([stored]) == {"final/psnr@w0_5": 23.5, "final/psnr": 23.5}


def test_diagnostics_have_keys_of_their_own(tmp_path: Path) -> None:
    stored = StoredRecord(replace(bare("arm", 0.5, 0, 8), metrics={}, diagnostics={"folded_share": 0.25}), tmp_path)
    assert final_numbers([stored]) == {
        "final/diagnostic/folded_share@w0_5": 0.25,
        "final/diagnostic/folded_share": 0.25,
    }
