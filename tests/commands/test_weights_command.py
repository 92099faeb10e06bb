import itertools
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from src import weights
from src.checkpoints.catalogue import CATALOGUE
from src.checkpoints.entries import WeightsEntry


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("BFR_WEIGHTS_DIR", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def test_the_list_shows_every_entry_with_its_licence_and_place(capsys, tmp_path):
    (tmp_path / "parsing").mkdir()
    (tmp_path / "parsing" / "parsing_parsenet.pth").touch()
    assert weights.main(["list"]) == 0
    told = capsys.readouterr().out.splitlines()
    places = {before.split()[0]: line for before, line in itertools.pairwise(told) if line.startswith("      here: ")}
    lines = {line.split()[0]: line for line in told if line.startswith("  ") and line not in places.values()}
    own = {run.name for run in weights.BUNDLED.iterdir()} - set(CATALOGUE)
    assert own >= {"cft", "diffusion_prior", "latent_mask"}
    assert set(lines) == set(CATALOGUE) | own
    assert all(len(line) <= 120 for line in lines.values())
    assert all(lines[name].endswith(f" {entry.licence}") for name, entry in CATALOGUE.items() if name != "vqgan")
    assert "377 MB" in lines["codeformer"]
    assert str(tmp_path / "parsing" / "parsing_parsenet.pth") in places["parsenet"]
    assert own <= set(places)
    assert "codeformer" not in places
    weights.main(["list", "--json"])
    listed = json.loads(capsys.readouterr().out)
    assert listed["parsenet"]["path"].endswith("parsing_parsenet.pth")
    assert listed["codeformer"]["path"] is None
    assert listed["codeformer"]["is_non_commercial"] is True
    assert listed["parsenet"]["is_non_commercial"] is False


def test_verify_finds_the_wrong_file_and_only_that(capsys, monkeypatch, tmp_path):
    assert weights.main(["verify"]) == 0
    text = capsys.readouterr().out
    assert "ok     bundled vqgan:" in text
    assert "-      codeformer: not here" in text
    (tmp_path / "codeformer.pth").write_bytes(b"something else")
    assert weights.main(["verify", "codeformer"]) == 1
    wrong = capsys.readouterr().out
    assert wrong.startswith("WRONG  codeformer:")
    assert str(CATALOGUE["codeformer"].sha256) in wrong
    monkeypatch.setitem(CATALOGUE, "own", WeightsEntry(file="own.pth", url="https://example.org", licence="MIT"))
    (tmp_path / "own.pth").touch()
    assert weights.main(["verify", "own"]) == 0
    assert "no hash is published" in capsys.readouterr().out


def test_verify_reports_damaged_and_missing_bundled_files(capsys, monkeypatch, tmp_path):
    shutil.copytree(weights.BUNDLED, tmp_path / "bundled")
    monkeypatch.setattr(weights, "BUNDLED", tmp_path / "bundled")
    files = {path.stem: path for path in (tmp_path / "bundled").rglob("*.safetensors")}
    with files["recogniser"].open("ab") as handle:
        handle.write(b"x")
    files["vqgan_discriminator"].unlink()
    assert weights.main(["verify"]) == 1
    wrong = [line for line in capsys.readouterr().out.splitlines() if line.startswith("WRONG")]
    assert [line.split(":")[0] for line in wrong] == ["WRONG  bundled recogniser", "WRONG  bundled vqgan_discriminator"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fetch", "codefromer"], "did you mean codeformer"),
        (["verify", "xyz"], "`python -m src.weights list` shows them"),
        (["export", "run", "--output", "net.bin"], "net.bin ends in none of .pth, .safetensors, .onnx"),
        (["export", "nowhere", "--output", "net.onnx"], "nowhere"),
    ],
)
def test_mistakes_are_one_sentence(capsys, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        weights.main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_listing_and_help_import_no_torch(root: Path):
    for arguments in (["list"], ["--help"]):
        code = (
            f"import sys; from src import weights\ntry:\n    weights.main({arguments})\nexcept SystemExit:\n    pass\n"
            "print('torch' in sys.modules, file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60)
        assert done.stderr.split() == ["False"], done.stderr


def test_a_reader_that_stops_early_is_no_error(root: Path) -> None:
    command = f"{shlex.quote(sys.executable)} -m src.weights list | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=root, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["141"]
    assert done.stderr == ""
