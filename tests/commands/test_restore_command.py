import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from src.checkpoints.files import sha256_of
from src.checkpoints.network_file import save_network
from src.data.image_file import read_rgb, write_png
from src.data.levels import to_levels, to_network
from src.networks import CodeFormer, VqAutoencoder
from src.restore import quoted, restore
from src.settings.errors import UserError
from src.settings.restore import RestoreConfig
from src.settings.scale import CodePredictorSize, VqAutoencoderSize
from tests.commands.restore_settings import restore_config
from tests.photos.group_photo import GroupPhoto
from tests.restorers.small_difface import save_run

AUTOENCODER = VqAutoencoderSize(
    image_size=64,
    width=8,
    multipliers=[1, 2, 2],
    residual_blocks=1,
    attention_sizes=[16],
    norm_groups=4,
    codebook_size=16,
    code_dim=8,
)
PREDICTOR = CodePredictorSize(dim=16, heads=2, layers=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run folder with random weights."""
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    sizes = {"autoencoder": asdict(AUTOENCODER)}
    network = CodeFormer(AUTOENCODER, PREDICTOR, [16, 32])
    settings = sizes | {"code_predictor": asdict(PREDICTOR), "fused_sizes": [16, 32]}
    save_network(folder / "weights" / "codeformer.safetensors", "codeformer", network, settings, {"adain": "true"})
    save_network(folder / "weights" / "vqgan.safetensors", "vqgan", VqAutoencoder(AUTOENCODER), sizes, {})
    return folder


def add_faces(folder: Path, *names: str, side: int = 64) -> Path:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (side, side, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


def config(given: Path, output: Path, run: Path, **changes) -> RestoreConfig:
    values = {"aligned": True, "checkpoint": run, "batch_size": 2, "device": "cpu", "progress": False, "colour": "keep"}
    overrides = [f"{key}={'null' if value is None else value}" for key, value in (values | changes).items()]
    return restore_config([f"input={given}", f"output={output}", *overrides])


def test_results_equal_the_network_whatever_the_batch_size(tmp_path, run):
    faces = add_faces(tmp_path / "in", "a.png", "b.png", "c.png")
    for batch_size in (1, 2, 8):
        assert restore(config(faces, tmp_path / str(batch_size), run, batch_size=batch_size, precision="exact")) == 0
    torch.manual_seed(0)
    network = CodeFormer(AUTOENCODER, PREDICTOR, [16, 32]).eval()
    for name in ("a.png", "b.png", "c.png"):
        lq = torch.from_numpy(read_rgb(faces / name)).permute(2, 0, 1)[None]
        with torch.no_grad():
            expected = to_levels(network(to_network(lq), fidelity=0.5, adain=True).image)[0].permute(1, 2, 0).numpy()
        for batch_size in (1, 2, 8):
            difference = read_rgb(tmp_path / str(batch_size) / "results" / name).astype(int) - expected
            assert np.abs(difference).max() <= 1


def test_the_report_says_what_was_done(tmp_path, run, capsys):
    faces = add_faces(tmp_path / "in", "a.jpg", "sub/b.png", side=100)
    assert restore(config(faces, tmp_path / "out", run, fidelity=0.25)) == 0
    report = json.loads((tmp_path / "out" / "restore.json").read_text())
    assert report["knobs"] == {"fidelity": 0.25, "adain": True}
    assert report["weights_sha256"] == {"codeformer": sha256_of(run / "weights" / "codeformer.safetensors")}
    assert [face["output"] for face in report["restored"]] == ["results/a.png", "results/sub/b.png"]
    assert all(face["seconds"] > 0 for face in report["restored"])
    assert report["problems"] == []
    assert report["settings"]["fidelity"] == 0.25
    printed = capsys.readouterr()
    assert "restored 2 faces in 2 of 2 inputs; " in printed.out
    assert "codeformer on cpu, fp32, channels last" in printed.err
    assert {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")} == {
        *(f"{folder}/{name}.png" for folder in ("results", "comparisons") for name in ("a", "sub/b")),
        "reports/a.json",
        "reports/sub/b.json",
        "grid.png",
        "restore.json",
    }


def test_difface_restores_aligned_faces_by_their_seed(tmp_path, capsys):
    runs = save_run(tmp_path / "runs")
    difface = {
        "restorer": "difface",
        "sampling.backbone": runs["restoration_backbone"],
        "sampling.steps": 2,
        "precision": "exact",
    }
    faces = add_faces(tmp_path / "in", "a.png", "b.png", side=32)
    for name, changes in {"first": {}, "again": {"batch_size": 1}, "other": {"seed": 1}}.items():
        assert restore(config(faces, tmp_path / name, runs["diffusion_prior"], **difface, **changes)) == 0
    pictures = {
        name: np.stack([read_rgb(tmp_path / name / "results" / face).astype(int) for face in ("a.png", "b.png")])
        for name in ("first", "again", "other")
    }
    assert pictures["first"].shape == (2, 16, 16, 3)
    assert np.abs(pictures["again"] - pictures["first"]).max() <= 1
    assert np.abs(pictures["other"] - pictures["first"]).mean() > 2
    report = json.loads((tmp_path / "other" / "restore.json").read_text())
    assert report["knobs"] == {"solver": "ddim", "start": 400, "steps": 2, "eta": 0.5, "seed": 1}
    assert set(report["weights_sha256"]) == set(report["checkpoints"]) == {"diffusion_prior", "restoration_backbone"}
    assert report["network_evaluations"] == 3
    assert "difface on cpu, fp32" in capsys.readouterr().err


def test_the_grid_holds_input_and_result_side_by_side(tmp_path, run):
    faces = add_faces(tmp_path / "in", "a.png", "b.png")
    restore(config(faces, tmp_path / "out", run))
    grid = read_rgb(tmp_path / "out" / "grid.png")
    for name in ("in/a.png", "out/results/a.png", "in/b.png", "out/results/b.png"):
        assert _contains(grid, read_rgb(tmp_path / name).repeat(2, axis=0).repeat(2, axis=1))


def _contains(grid: np.ndarray, tile: np.ndarray) -> bool:
    side = tile.shape[0]
    corners = np.argwhere((grid[: -side + 1, : -side + 1] == tile[0, 0]).all(axis=2))
    return any((grid[y : y + side, x : x + side] == tile).all() for y, x in corners)


def test_baselines_keep_the_size_of_every_image(tmp_path, run):
    faces = add_faces(tmp_path / "in", "a.png", "b.png", side=40)
    add_faces(faces, "c.png", side=24)
    assert restore(config(faces, tmp_path / "out", run, restorer="identity", batch_size=8)) == 0
    for name in ("a.png", "b.png", "c.png"):
        assert (read_rgb(tmp_path / "out" / "results" / name) == read_rgb(faces / name)).all()
    assert restore(config(faces, tmp_path / "low", run, restorer="bicubic")) == 0
    assert restore(config(faces, tmp_path / "codes", run, restorer="vqgan")) == 0
    assert read_rgb(tmp_path / "codes" / "results" / "c.png").shape == (64, 64, 3)


def test_a_damaged_file_is_named_and_the_others_are_restored(tmp_path, run, capsys):
    faces = add_faces(tmp_path / "in", "a.png", "b.png", "c.png")
    (faces / "b.png").write_bytes((faces / "b.png").read_bytes()[:200])
    write_png(faces / "d.png", np.zeros((64, 48, 3), np.uint8))
    assert restore(config(faces, tmp_path / "out", run)) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("not restored: ")]
    assert len(errors) == 2
    assert "b.png: is damaged" in errors[0]
    assert "d.png: is 48 x 64 pixels" in errors[1]
    assert sorted(path.name for path in (tmp_path / "out" / "results").iterdir()) == ["a.png", "c.png"]
    report = json.loads((tmp_path / "out" / "restore.json").read_text())
    assert [Path(problem["input"]).name for problem in report["problems"]] == ["b.png", "d.png"]


def test_nothing_readable_is_an_error_and_writes_nothing(tmp_path, run):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_text("no image")
    with pytest.raises(UserError, match=r"nothing could be read: .*a.png"):
        restore(config(tmp_path / "in", tmp_path / "out", run))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fidelity": 1.5}, r"fidelity: 1\.5 must lie in \[0, 1\]"),
        ({"batch_size": 0}, "batch_size: 0 must be 1 or more"),
        ({"device": "tpu"}, "device: 'tpu' is not one of auto, cpu, cuda"),
        ({"restorer": "gfpgan"}, "restorer: 'gfpgan' is not one of"),
        ({"upscale": 40}, "upscale: 40.0 must be 16 or less"),
        ({"detector": "yolo", "precision": "fp8"}, "detector: 'yolo' is not one of .*; precision: 'fp8' is not one of"),
        ({"sampling.start": 100}, r"sampling\.start: 100 is no setting of codeformer; leave it out"),
        ({"seed": 3}, "seed: 3 changes nothing, since codeformer draws nothing"),
        ({"restorer": "difface", "fidelity": 0.5}, "fidelity: 0.5 is no setting of difface"),
        ({"restorer": "difface", "sampling.steps": 401}, r"sampling\.steps: 401 is not in 1 to 400"),
        ({"restorer": "difface", "sampling.start": "[1,2]"}, r"sampling\.start: \[1, 2\] must be a whole number"),
        ({"restorer": "difface"}, r"sampling\.backbone: not given"),
        ({"only_center": True}, "only_center: has no meaning for aligned faces"),
        ({"detector_weights": "net.pth"}, r"detector_weights: net\.pth does not exist"),
        ({"background_weights": "net.pth"}, "background_weights: is used by background=realesrgan only"),
        ({"checkpoint": "runs/none"}, r"checkpoint: runs/none does not exist; .*\+experiment=quickstart"),
    ],
)
def test_wrong_settings_are_told_before_anything_is_written(tmp_path, run, changes, message):
    faces = add_faces(tmp_path / "in", "a.png")
    with pytest.raises(UserError, match=message):
        restore(config(faces, tmp_path / "out", run, **changes))
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_an_absent_device_is_named(tmp_path, run):
    with pytest.raises(UserError, match="device: cuda was asked for, but torch finds no CUDA device"):
        restore(config(add_faces(tmp_path / "in", "a.png"), tmp_path / "out", run, device="cuda"))


def command(python: str, root: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    line = [python, "-m", "src.restore", *overrides]
    return subprocess.run(line, cwd=root, capture_output=True, text=True, timeout=120)


def test_the_command_restores_names_what_it_could_not_read_and_never_replaces(tmp_path, run, root, forked_python):
    faces = add_faces(tmp_path / "in", "a.png")
    (faces / "b.png").write_text("no image")
    before = {path.name for path in root.iterdir()}
    overrides = [f"input={faces}", f"output={tmp_path / 'out'}", f"checkpoint={run}", "aligned=true", "device=cpu"]
    done = command(forked_python, root, *overrides)
    assert done.returncode == 1
    assert "restored 1 faces in 1 of 2 inputs" in done.stdout
    assert "not restored: " in done.stderr
    assert "b.png: is not an image" in done.stderr
    assert (tmp_path / "out" / "results" / "a.png").is_file()
    # Hydra leaves no folder or log behind.
    assert {path.name for path in root.iterdir()} - before <= {"__pycache__"}
    refused = command(forked_python, root, *overrides)
    assert refused.returncode == 2
    assert "would be replaced; give another folder or overwrite=true" in refused.stderr


@pytest.mark.parametrize(
    ("overrides", "status", "message"),
    [
        ([], 2, "error: input, output: not given"),
        (["input=nowhere", "output=out"], 2, "error: input: nowhere does not exist"),
        (["fidelity=abc"], 1, "could not be converted to Float"),
        (["fidelty=0.5"], 1, "fidelty"),
        (["input=conf", "output=out"], 2, "error: input: the folder conf holds neither photo nor video"),
    ],
)
def test_mistakes_are_told_fast_without_a_traceback(root, overrides, status, message):
    start = time.monotonic()
    done = command(sys.executable, root, *overrides)
    assert time.monotonic() - start < 10
    assert done.returncode == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_mistakes_and_help_do_not_import_torch(root):
    code = (
        "import sys, runpy; sys.argv = ['restore', 'input=nowhere', 'output=out']\n"
        "try:\n    runpy.run_module('src.restore', run_name='__main__')\n"
        "except SystemExit as end:\n    print(end.code, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["2", "False"], done.stderr


def test_a_truncated_checkpoint_is_named(tmp_path, run, root, forked_python):
    faces = add_faces(tmp_path / "in", "a.png")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes((run / "weights" / "codeformer.safetensors").read_bytes()[:-50])
    done = command(
        forked_python, root, f"input={faces}", f"output={tmp_path / 'out'}", f"checkpoint={cut}", "aligned=true"
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "cut.safetensors" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """A group photo, a grey one, and one without a face."""
    folder = tmp_path_factory.mktemp("photos")
    group = GroupPhoto.of([(40, 60), (280, 120)]).picture
    Image.fromarray(group).save(folder / "group.jpg", quality=95)
    Image.fromarray(group).convert("L").save(folder / "grey.png")
    Image.fromarray(GroupPhoto.of([], wall=7).picture).save(folder / "wall.png")
    return folder


def test_whole_photos_with_a_detector_whose_weights_come_with_a_package(tmp_path, photos, run, root, forked_python):
    pytest.importorskip("facenet_pytorch", reason="facenet-pytorch is not installed")
    overrides = [f"output={tmp_path / 'out'}", f"checkpoint={run}", "detector=mtcnn", "least_side=0", "device=cpu"]
    done = command(forked_python, root, f"input={photos}", *overrides)
    assert done.returncode == 0, done.stderr
    assert "restored 4 faces in 3 of 3 inputs, 1 without a face" in done.stdout
    reports = {
        name: json.loads((tmp_path / "out" / "reports" / f"{name}.json").read_text())
        for name in ("group", "grey", "wall")
    }
    noses = sorted(face["landmarks"][2][0] for face in reports["group"]["faces"])
    assert noses == pytest.approx([40 + 64, 280 + 64], abs=12)
    assert reports["grey"]["grey"]
    assert not reports["group"]["grey"]
    grey = read_rgb(tmp_path / "out" / "results" / "grey.png").astype(int)
    assert grey.shape == (600, 1000, 3)
    assert np.ptp(grey, axis=2).max() <= 3
    assert len(list((tmp_path / "out" / "faces").iterdir())) == 4
    summary = json.loads((tmp_path / "out" / "restore.json").read_text())
    assert set(summary["weights_sha256"]) == {"codeformer", "mtcnn_pnet", "mtcnn_rnet", "mtcnn_onet"}


def test_what_cannot_be_fetched_is_told_in_one_sentence(tmp_path, photos, run, root, forked_python):
    offline = os.environ | {"BFR_WEIGHTS_DIR": str(tmp_path / "cache"), "TORCH_HOME": str(tmp_path / "hub")}
    offline |= dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY", "HTTP_PROXY"), "http://127.0.0.1:9")
    for extra, file in (([f"checkpoint={run}"], "detection_Resnet50_Final.pth"), ([], "codeformer.pth")):
        line = [forked_python, "-m", "src.restore", f"input={photos}", f"output={tmp_path / 'out'}", *extra]
        done = subprocess.run(line, cwd=root, env=offline, capture_output=True, text=True, timeout=120)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        (error,) = [text for text in done.stderr.splitlines() if text.startswith("error: ")]
        assert file in error
        assert "https://" in error
        assert str(tmp_path / "cache") in error
    assert not (tmp_path / "out").exists()


def test_names_as_cameras_give_them_need_no_quotes(tmp_path, run, root, forked_python):
    faces = add_faces(tmp_path / "in, [old]", "IMG (1), mum's = best.png")
    line = [f"input={faces / 'IMG (1), mum'}'s = best.png", f"output={tmp_path / 'out (1)'}", f"checkpoint={run}"]
    done = command(forked_python, root, *line, "aligned=true", "device=cpu")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out (1)" / "results" / "IMG (1), mum's = best.png").is_file()
    assert quoted(["input='a b'", "fidelity=0.5", "checkpoint=null"]) == [
        "input='a b'",
        "fidelity=0.5",
        "checkpoint=null",
    ]


def test_a_video_is_no_aligned_face(tmp_path, run, capsys):
    faces = add_faces(tmp_path / "in", "a.png")
    (faces / "clip.mp4").touch()
    assert restore(config(faces, tmp_path / "out", run)) == 1
    printed = capsys.readouterr()
    assert "restored 1 faces in 1 of 2 inputs" in printed.out
    assert "clip.mp4: is a video; aligned=true takes pictures of one face" in printed.err
