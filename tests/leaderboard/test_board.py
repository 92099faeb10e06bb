"""The files and the text of a leaderboard."""

import csv
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from src.leaderboard.assemble import Choices, study_tables
from src.leaderboard.board import Leaderboard, write_leaderboard
from src.leaderboard.console import console_text
from src.settings.errors import UserError
from src.tracking.records import read_records

FILES = ["leaderboard.md", "leaderboard.csv", "leaderboard.tex", "leaderboard.html"]


def _board(root: Path, out: Path | None = None, **changes) -> Leaderboard:
    return write_leaderboard(root / "records", out, Choices(**{"resamples": 1000, **changes}))


@pytest.fixture(scope="module")
def sweep(make_once) -> Path:
    """Two arms over fidelity, one without the knob, two baselines, a failure, and an arm on another benchmark."""
    make, folder = make_once
    for w in (0.0, 0.5, 1.0):
        make("all_fixed", w, shift=0.1 + 0.1 * abs(w - 0.5), spread=0.001)
        make("all_sampled", w, shift=0.2 + 0.1 * abs(w - 0.5), spread=0.001)
    make("none", 0.0, shift=0.4, spread=0.001, config={"cft": {"fused_sizes": []}})
    make("input", None, shift=1.0, baseline=True, weights={}, cost=None)
    make("autoencoder ceiling", None, shift=0.05, baseline=True)
    make("broken", None, status="failed", reason="loss g/l1 is NaN | at 12")
    make("foreign", benchmark={"hash": "ffff", "name": "celeba", "n": 64})
    return folder


@pytest.fixture(scope="module")
def board(sweep: Path) -> Leaderboard:
    """The leaderboard of the sweep."""
    return _board(sweep)


def test_names_the_winner_and_shows_everything(board: Leaderboard) -> None:
    text = board.text
    assert "Question: Which arm is best?" in text
    assert "Benchmark: synthetic (n=64, benchben), split test, recipe codeformer_large" in text
    assert "Best on st_lpips ↓: all_fixed (w 0.5)" in text
    assert "all_fixed (w 0.5) is better than the baseline input" in text
    assert "that choice is optimistic" in text
    document = board.paths[0].read_text()
    assert "st_lpips: lower is better; n=64" in document
    assert "extractor abababab; version 1" in document
    assert "loss g/l1 is NaN" in text
    assert "Primary metric: perceptual (the default: the records name none)" in text
    assert max(map(len, text.splitlines())) <= 120
    ranks = [line.split()[:3] for line in text.splitlines() if line[:4].strip() in ("1", "2", "3")]
    assert ranks[:3] == [["1", "all_fixed", "0.5"], ["2", "all_sampled", "0.5"], ["3", "none", "–"]]


def test_each_benchmark_has_its_own_ranking(board: Leaderboard) -> None:
    first, second = board.text.split("-- Benchmark 2 of 2 --")
    assert "-- Benchmark 1 of 2 --" in first
    assert "foreign" not in first
    assert "Benchmark: celeba (n=64, ffff)" in second
    assert "Only one arm can be ranked: foreign (w 0.5)" in second
    assert "all_fixed" not in second
    document = board.paths[0].read_text()
    assert document.count("### Ranking, each arm at its best setting") == 2
    assert {"curve.png", "curve-celeba-ffff.png"} <= {path.name for path in board.paths}


def test_a_tie_is_called_a_tie(make, tmp_path: Path) -> None:
    make("a", spread=0.05)
    make("b", spread=0.05)
    text = _board(tmp_path).text
    assert "Tie on st_lpips" in text
    assert "which does not separate them" in " ".join(text.split())
    assert text.count("1=") == 2 * text.count("rank  arm") + text.count("+1=")


def test_one_arm_and_few_images(make, tmp_path: Path) -> None:
    make("a", n=5)
    assert "Only one arm can be ranked" in _board(tmp_path).text
    make("b", n=5, shift=0.3)
    text = _board(tmp_path).text
    assert "Tie on" in text
    assert "Fewer than 6 images" in text


def test_files_are_rebuilt_from_records_alone(
    sweep: Path, board: Leaderboard, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("copy")
    first = board
    shutil.copytree(sweep / "records", elsewhere / "records", ignore=shutil.ignore_patterns("leaderboard"))
    second = _board(elsewhere)
    assert second.text == first.text
    figures = ["curve.png", "frontier.png", "curve-celeba-ffff.png"]
    assert [path.name for path in second.paths] == [*FILES, *figures]
    assert second.paths[0].parent == elsewhere / "records" / "leaderboard"
    for one, other in zip(first.paths, second.paths, strict=True):
        assert one.read_bytes() == other.read_bytes()
    tables = study_tables(read_records(elsewhere / "records").records, Choices(resamples=1000))
    assert console_text(tables) == first.text, "its own output must not be taken for records"


def test_csv_has_every_row_unrounded(board: Leaderboard) -> None:
    with board.paths[1].open() as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 11
    best = next(row for row in rows if row["rank"] == "1")
    assert (best["arm"], best["fidelity"], best["tied"], best["comparable"]) == ("all_fixed", "0.5", "False", "True")
    assert float(best["st_lpips:low"]) < float(best["st_lpips"]) < float(best["st_lpips:high"])
    assert len(best["st_lpips"]) > 10
    assert best["fd_mobilenetv2:low"] == ""
    assert float(best["st_lpips:worst_decile_low"]) < float(best["st_lpips:worst_decile"]) > float(best["st_lpips"])
    assert {row["arm"] for row in rows if row["comparable"] == "False"} == {"broken"}
    assert {row["benchmark"] for row in rows if row["arm"] == "foreign"} == {"ffff"}


def test_markdown_tables_are_whole(board: Leaderboard) -> None:
    text = board.paths[0].read_text()
    assert "![Metrics over the fidelity weight w](curve.png)" in text
    assert "loss g/l1 is NaN \\| at 12" in text
    for block in text.split("\n\n"):
        if block.startswith("|"):
            bars = {line.replace("\\|", "").count("|") for line in block.splitlines()}
            assert len(bars) == 1
    full = text.split("## All settings")[1].split("##")[0]
    assert sum(line.startswith("| all_") for line in full.splitlines()) == 6
    worst = text.split("## Mean over the worst tenth of the faces")[1].split("##")[0]
    assert "psnr ↑" in worst
    assert "fd_mobilenetv2" not in worst


def test_the_curve_shows_the_arms_in_their_colours(board: Leaderboard) -> None:
    picture = cv2.imread(str(board.paths[len(FILES)]))
    assert picture.shape[1] == 1420
    for blue_green_red in ((178, 114, 0), (0, 94, 213), (115, 158, 0)):
        assert (abs(picture.astype(int) - blue_green_red).sum(axis=2) < 6).sum() > 300


def test_one_table_a_study(make, tmp_path: Path) -> None:
    make("a")
    make("foreign", benchmark={"hash": "ffff", "name": "celeba", "n": 64})
    make("elsewhere", study="other/study")
    board = _board(tmp_path)
    curves = [path.name for path in board.paths if path.name.startswith("curve")]
    assert curves == ["curve-made_up.png", "curve-made_up-celeba-ffff.png", "curve-other_study.png"]
    assert "== made_up ==" in board.text
    assert "== other/study ==" in board.text
    assert "elsewhere" not in _board(tmp_path, study="made_up").text
    with pytest.raises(UserError, match="no record of 'mad_up'; these records are of made_up, other/study"):
        _board(tmp_path, study="mad_up")


def test_seeds_are_shown_one_by_one(make, tmp_path: Path) -> None:
    for seed in (0, 1):
        make("a", seed=seed)
        make("b", seed=seed, shift=0.1)
    text = _board(tmp_path).text
    assert "seed 0" in text
    assert "Several seeds" in text
    assert "One seed an arm" not in text


def test_only_failures(make, tmp_path: Path) -> None:
    make("broken", status="failed", reason="killed")
    board = _board(tmp_path)
    assert "No arm has a result that can be ranked." in board.text
    assert "killed" in board.text
    assert [path.name for path in board.paths] == FILES


def test_settings_are_checked(sweep: Path) -> None:
    with pytest.raises(
        UserError, match=r"primary: 'lpips' is not one of perceptual.*its metrics are fd_mobilenetv2, id/cos"
    ):
        _board(sweep, primary="lpips")
    with pytest.raises(UserError, match="resamples: 10 are too few"):
        _board(sweep, resamples=10)


def test_an_interrupted_write_keeps_the_old_board(
    sweep: Path, board: Leaderboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = board.paths[0]
    before = old.read_text()

    def full_disk(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(OSError, match="No space left"):
        _board(sweep, primary="psnr")
    assert old.read_text() == before
    kept = [*FILES, "curve.png", "frontier.png", "curve-celeba-ffff.png"]
    assert sorted(path.name for path in old.parent.iterdir()) == sorted(kept)


def test_the_frontier_shows_its_arms_and_keeps_far_baselines_out(board: Leaderboard) -> None:
    picture = cv2.imread(str(next(path for path in board.paths if path.name == "frontier.png"))).astype(int)
    for blue_green_red in ((178, 114, 0), (0, 94, 213), (115, 158, 0)):
        found = abs(picture - blue_green_red).sum(axis=2) < 6
        assert found.sum() > 50
        # No arm is squeezed into a corner by the input, which lies five times as far away as the arms from each other.
    colours = (abs(picture - (178, 114, 0)).sum(axis=2) < 6) | (abs(picture - (115, 158, 0)).sum(axis=2) < 6)
    assert np.ptp(np.nonzero(colours)[1]) > picture.shape[1] / 2


def test_what_was_not_measured_is_said_once(make, tmp_path: Path) -> None:
    sentence = "weights of LPIPS are missing: put lpips_vgg.pth into weights/"
    make("a", missing={"lpips/vgg": sentence})
    make("b", 0.25, missing={"lpips/vgg": sentence, "psnr": "made up"})
    board = _board(tmp_path)
    assert "2 metrics were not measured here." in board.text
    document = board.paths[0].read_text()
    assert document.count(f"lpips/vgg: {sentence}") == 1
    assert "psnr: made up (missing for b)" in document


def test_severity_is_tabled_where_the_records_keep_it(make, tmp_path: Path) -> None:
    stored = make("a", severity={"name": "downscale factor r", "edges": [1, 4, 8]})
    table = stored.per_image().assign(severity=np.linspace(1, 8, 64))
    table.to_parquet(stored.folder / "per_image.parquet")
    document = _board(tmp_path).paths[0].read_text()
    assert "## st_lpips ↓ by downscale factor r" in document
    assert "1 to 4 | 4 to 8 |" in document
    assert "(n=27)" in document
