"""The files and the text of a leaderboard."""

import csv
import shutil
from pathlib import Path

import cv2
import pytest

from src.leaderboard.board import Leaderboard, write_leaderboard
from src.settings.errors import UserError


def _board(root: Path, output: Path | None = None, **changes) -> Leaderboard:
    return write_leaderboard(root / "records", output, **{"study": None, "primary": "perceptual", **changes})


@pytest.fixture
def sweep(make, tmp_path: Path) -> Path:
    """Two arms over fidelity, one without the knob, two baselines, a failure and a stranger."""
    for w in (0.0, 0.5, 1.0):
        make("all_fixed", w, shift=0.1 + 0.1 * abs(w - 0.5), spread=0.001)
        make("all_sampled", w, shift=0.2 + 0.1 * abs(w - 0.5), spread=0.001)
    make("none", 0.0, shift=0.4, spread=0.001, config={"cft": {"fused_sizes": []}})
    make("input", None, shift=1.0, baseline=True, weights={}, cost=None)
    make("autoencoder ceiling", None, shift=0.05, baseline=True)
    make("broken", None, status="failed", reason="loss g/l1 is NaN | at 12")
    make("foreign", benchmark={"hash": "ffff", "name": "celeba", "n": 64})
    return tmp_path


def test_names_the_winner_and_shows_everything(sweep: Path) -> None:
    text = _board(sweep).text
    assert "Question: Which arm is best?" in text
    assert "Benchmark: synthetic (n=64, benchben), split test, recipe codeformer_large" in text
    assert "Best on st_lpips ↓: all_fixed (w 0.5)" in text
    assert "all_fixed (w 0.5) is better than the baseline input" in text
    assert "that choice is optimistic" in text
    assert "st_lpips: lower is better; n=64" in text
    assert "extractor abababab; version 1" in text
    assert "loss g/l1 is NaN" in text
    assert "other benchmark: celeba" in text
    assert max(map(len, text.splitlines())) <= 120
    ranks = [line.split()[:3] for line in text.splitlines() if line[:4].strip() in ("1", "2", "3")]
    assert ranks[:3] == [["1", "all_fixed", "0.5"], ["2", "all_sampled", "0.5"], ["3", "none", "–"]]


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


def test_files_are_rebuilt_from_records_alone(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("copy")
    first = _board(sweep, sweep / "out")
    shutil.copytree(sweep / "records", elsewhere / "records")
    second = _board(elsewhere)
    assert second.text == first.text
    assert [path.name for path in second.paths] == ["leaderboard.md", "leaderboard.csv", "curve.png"]
    assert second.paths[0].parent == elsewhere / "records" / "leaderboard"
    for one, other in zip(first.paths, second.paths, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert _board(elsewhere).text == first.text, "its own output must not be taken for records"


def test_csv_has_every_row_unrounded(sweep: Path) -> None:
    board = _board(sweep)
    with board.paths[1].open() as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 11
    best = next(row for row in rows if row["rank"] == "1")
    assert (best["arm"], best["fidelity"], best["tied"], best["comparable"]) == ("all_fixed", "0.5", "False", "True")
    assert float(best["st_lpips:low"]) < float(best["st_lpips"]) < float(best["st_lpips:high"])
    assert len(best["st_lpips"]) > 10
    assert best["fd_mobilenetv2:low"] == ""
    assert {row["arm"] for row in rows if row["comparable"] == "False"} == {"broken", "foreign"}


def test_markdown_tables_are_whole(sweep: Path) -> None:
    text = _board(sweep).paths[0].read_text()
    assert "![Metrics over the fidelity weight w](curve.png)" in text
    assert "loss g/l1 is NaN \\| at 12" in text
    for block in text.split("\n\n"):
        if block.startswith("|"):
            bars = {line.replace("\\|", "").count("|") for line in block.splitlines()}
            assert len(bars) == 1
    full = text.split("## All fidelities")[1].split("##")[0]
    assert sum(line.startswith("| all_") for line in full.splitlines()) == 6


def test_the_curve_shows_the_arms_in_their_colours(sweep: Path) -> None:
    picture = cv2.imread(str(_board(sweep).paths[2]))
    assert picture.shape[1] == 1420
    for blue_green_red in ((178, 114, 0), (0, 94, 213), (115, 158, 0)):
        assert (abs(picture.astype(int) - blue_green_red).sum(axis=2) < 6).sum() > 300


def test_one_table_a_study(sweep: Path, make) -> None:
    make("elsewhere", study="other/study")
    board = _board(sweep)
    names = [path.name for path in board.paths]
    assert names == ["leaderboard.md", "leaderboard.csv", "curve-made_up.png", "curve-other_study.png"]
    assert "== made_up ==" in board.text
    assert "== other/study ==" in board.text
    assert "elsewhere" not in _board(sweep, study="made_up").text
    with pytest.raises(UserError, match="no record of 'mad_up'; these records are of made_up, other/study"):
        _board(sweep, study="mad_up")


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
    assert [path.name for path in board.paths] == ["leaderboard.md", "leaderboard.csv"]


def test_settings_are_checked(sweep: Path) -> None:
    with pytest.raises(UserError, match="primary: 'lpips' is not one of perceptual"):
        _board(sweep, primary="lpips")
    with pytest.raises(UserError, match="resamples: 10 are too few"):
        _board(sweep, resamples=10)


def test_an_interrupted_write_keeps_the_old_board(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = _board(sweep).paths[0]
    before = old.read_text()

    def full_disk(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(OSError, match="No space left"):
        _board(sweep, primary="psnr")
    assert old.read_text() == before
    assert sorted(path.name for path in old.parent.iterdir()) == ["curve.png", "leaderboard.csv", "leaderboard.md"]
