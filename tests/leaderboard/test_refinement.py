"""CLR-Face in the figures of refining methods: held against its encoder, at equal guidance, beside DifFace."""

from dataclasses import replace

import pytest

from src.leaderboard.arm_label import arm_label
from src.leaderboard.assemble import Choices, study_tables
from src.leaderboard.evaluations_curve import solver_lines
from src.leaderboard.start_curve import start_curves, start_reading
from src.leaderboard.study import StudyTable
from src.tracking.records import StoredRecord
from tests.leaderboard.clr_face_study import Made, guided, made_record, sweep_records
from tests.leaderboard.conftest import MakeRecord
from tests.leaderboard.difface_study import Quality, mean_ratio, setting


def _table(records: list[StoredRecord]) -> StudyTable:
    (table,) = study_tables(records, Choices(resamples=200))
    return table


@pytest.mark.parametrize(
    ("arm", "restorer", "label"),
    [
        ("swinir", "difface", "DifFace swinir"),
        ("swinir", "difface_backbone", "swinir alone"),
        ("difface", "difface", "difface"),
        ("score_vp", "clr_face", "CLR-Face score_vp"),
        ("score_vp", "clr_face_encoder", "score_vp encoder alone"),
        ("clr_face", "clr_face", "clr_face"),
        ("clr_face_encoder", "clr_face_encoder", "clr_face_encoder alone"),
        ("cft", "codeformer", "cft"),
    ],
)
def test_a_refinement_and_what_it_refines_have_names_of_their_own(
    make: MakeRecord, arm: str, restorer: str, label: str
) -> None:
    assert arm_label(make(arm, None, restorer=restorer).record) == label


def test_starts_of_clr_face_are_parts_of_the_process_held_against_its_encoder(make: MakeRecord) -> None:
    records = list(sweep_records(make))
    alone = replace(records[0], record=replace(records[0].record, arm="clr_face_encoder", baseline=True))
    (line,) = start_curves(_table([alone, *records[1:]]).rankings, 200, 0)
    assert [point.at for point in line.points] == [0.2, 0.4, 0.6, 0.8, 1]
    assert line.fixed == ("ddim 20", "eta 0", "scale 0")
    (restored,) = (entry for entry in records if entry.record.knobs.get("start") == 0.4)
    assert line.points[1].values["pixel_error"].value == pytest.approx(mean_ratio(restored, records[0]))
    text = start_reading(line)
    assert "contracts the encoder's error: pixel error smaller at t0 0.2, 0.4, 0.6 (0.9" in text
    assert "larger at t0 0.8, 1;" in text


def test_solvers_are_compared_at_equal_guidance(make: MakeRecord) -> None:
    records = list(sweep_records(make))
    knobs = {
        "solver": "ddim",
        "start": 1.0,
        "steps": 20,
        "eta": 0.0,
        "scale": 0.3,
        "mask": "ones",
        "target": "recovered",
    }
    weights = {"latent_encoder": "aa"}
    records.append(
        made_record(make, "score_vp", Made(0.7, 25.0), 40, restorer="clr_face", knobs=knobs, weights=weights)
    )
    (found,) = solver_lines(_table(records).rankings, 200, 0)
    assert [line.fixed for line in found.lines] == [
        ("start 1", "ddim", "eta 0", "scale 0"),
        ("start 1", "dpm_solver_pp", "scale 0"),
    ]
    assert found.reading.startswith("CLR-Face score_vp on codeformer_large, start 1, scale 0: ")
    assert "dpm_solver_pp 50 (52 evaluations)" in found.reading


def test_without_its_encoder_alone_nothing_is_drawn(make: MakeRecord) -> None:
    assert _table(list(sweep_records(make))[1:]).figures == []


def test_two_refining_methods_have_a_figure_each(make: MakeRecord) -> None:
    records = list(sweep_records(make))
    records.append(setting(make, "swinir", "severe", "difface_backbone", {}, Quality(1.0, 0.3, 0.8, 30.0)))
    records += [
        setting(make, "swinir", "severe", "difface", {"start": start, "steps": 20}, Quality(0.9, 0.3, 0.7, 25.0))
        for start in (100, 200)
    ]
    figures = _table(records).figures
    assert [figure.file for figure in figures] == ["start_clr_face.png", "start_difface.png", "evaluations.png"]
    assert [figure.heading for figure in figures[:2]] == [
        "Error against start of CLR-Face",
        "Error against start step of DifFace",
    ]
    assert all(figure.png.startswith(b"\x89PNG") for figure in figures[:1])


def test_one_guided_setting_is_no_sweep(make: MakeRecord) -> None:
    records = [guided(make, Made(0.6, 20.0), 0.0), guided(make, Made(0.65, 21.0), 0.3, "ones")]
    encoder = {"restorer": "clr_face_encoder", "knobs": {}}
    assert _table([*records, made_record(make, "clr_face", Made(0.5, 30.0), 2, **encoder)]).figures == []
