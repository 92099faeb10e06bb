"""Records that incompatible packages measured are not ranked with each other; other differences are said."""

from pathlib import Path

from src.leaderboard.assemble import Choices, study_tables
from src.leaderboard.document import document_text
from src.leaderboard.study import StudyTable
from src.tracking.provenance import incompatible_packages, package_versions
from tests.leaderboard.conftest import maker

OLD = {"python": "3.11.7", "torch": "1.13.1+cu117", "torchvision": "0.14.1+cu117", "pyiqa": "0.1.13"}
NEW = {"python": "3.12.1", "torch": "2.10.0+cpu", "torchvision": "0.25.0+cpu", "pyiqa": "0.1.14"}
NEAR = NEW | {"torch": "2.9.0+cu130", "torchvision": "0.24.0+cu130"}
"""As NEW, of the release of torch before; torchvision's is the one that was made for it."""


def _table(folder: Path, *packages: dict[str, str]) -> StudyTable:
    make = maker(folder)
    records = [make(f"arm{place}", shift=0.1 * place, packages=found) for place, found in enumerate(packages)]
    (table,) = study_tables(records, Choices(resamples=200))
    return table


def test_what_semantic_versioning_calls_compatible() -> None:
    assert incompatible_packages(OLD, NEW) == ["torch 1.13.1+cu117 and 2.10.0+cpu"]
    assert incompatible_packages({"pyiqa": "0.1.14"}, {"pyiqa": "0.2.0", "lpips": "0.1"}) == ["pyiqa 0.1.14 and 0.2.0"]
    assert incompatible_packages(NEW, NEAR) == []
    assert incompatible_packages({}, NEW) == []
    assert {"python", "torch", "numpy"} <= package_versions().keys()


def test_a_record_of_incompatible_packages_stands_apart(tmp_path: Path) -> None:
    table = _table(tmp_path, OLD, NEW, NEW)
    (ranking,) = table.rankings
    assert [row.arm for row in ranking.rows] == ["arm1", "arm2"]
    (apart,) = table.apart
    assert apart.arm == "arm0"
    reason = "measured by packages that are not compatible (torch 1.13.1+cu117 and 2.10.0+cpu); evaluate it again"
    assert apart.incomparable == reason
    assert reason in document_text([table])


def test_compatible_and_unknown_versions_are_ranked_and_said(tmp_path: Path) -> None:
    (ranking,) = _table(tmp_path / "near", NEW, NEAR, {}).rankings
    assert len(ranking.rows) == 3
    assert (
        "Measured by different versions of packages, so that last digits can differ: torch 2.10.0, 2.9.0; "
        "torchvision 0.24.0, 0.25.0." in ranking.notes
    )
    assert "Some records do not say which package versions measured them." in ranking.notes
    (builds,) = _table(tmp_path / "builds", NEW, NEW | {"torch": "2.10.0+cu130"}).rankings
    (before,) = _table(tmp_path / "before", {}, {}).rankings
    assert not [note for note in [*builds.notes, *before.notes] if "version" in note]
