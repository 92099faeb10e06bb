"""`python -m src.evaluate`: records, pictures and a leaderboard of any restorer; mistakes are one sentence."""

import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from PIL import Image
from torch import nn

from src.checkpoints.network_file import save_network
from src.config.compose import CONFIG_DIR
from src.config.schema import register
from src.data.benchmark_layouts import open_benchmark
from src.data.image_file import read_rgb, write_png
from src.evaluate import spelled_out
from src.jobs.check_evaluation import check_evaluation
from src.jobs.evaluate_job import evaluate_job
from src.networks import CodeFormer
from src.settings.commands import EvaluateConfig
from src.settings.errors import UserError
from src.tracking.records import SEVERITY_COLUMN, StoredRecord, read_records
from tests.restorers.small_difface import save_run
from tests.small_networks import AUTOENCODER, PREDICTOR

SMALL = [
    "metrics=offline",
    "metrics.measure=[psnr,ssim]",
    "metrics.primary=psnr",
    "metrics.bootstrap_resamples=200",
    "logger=none",
    "progress=false",
]
COUNT = 7


def settings(*words: str) -> EvaluateConfig:
    """The configuration that the command would use."""
    register()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        composed = compose("evaluate", overrides=spelled_out([*SMALL, *words]))
    found = OmegaConf.to_object(composed)
    assert isinstance(found, EvaluateConfig)
    check_evaluation(found)
    return found


def evaluated(store: Path, *words: str) -> list[StoredRecord]:
    """The records of the study after this evaluation."""
    evaluate_job(settings(f"run_store={store}", *words), [f"run_store={store}", *words])
    return read_records(store / "studies" / "evaluation" / "records").records


def arm(records: list[StoredRecord], name: str) -> StoredRecord:
    (found,) = [stored for stored in records if stored.record.arm == name]
    return found


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pairs: smooth faces and what half the resolution leaves of them."""
    folder = tmp_path_factory.mktemp("pairs") / "mine"
    rng = np.random.default_rng(0)
    for number in range(COUNT):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
        truth = coarse.resize((32, 32), Image.Resampling.BICUBIC)
        write_png(folder / "hq" / f"{number}.png", np.array(truth))
        small = truth.resize((16 - number, 16 - number)).resize((32, 32))
        write_png(folder / "lq" / f"{number}.png", np.array(small))
    return folder


def test_a_restorer_and_the_input_get_records_pictures_and_a_leaderboard(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = evaluated(tmp_path, "restorer=identity", f"benchmark={pairs}", "size=32", "label=nothing")
    found = arm(records, "nothing").record
    assert (found.stage, found.restorer, found.baseline) == ("evaluate", "identity", False)
    assert arm(records, "input").record.baseline
    assert found.metrics == arm(records, "input").record.metrics, "returning the input is the input"
    assert found.metrics["psnr"].n == COUNT
    assert found.cost is not None
    assert found.command.startswith("python -m src.evaluate restorer=identity")
    table = arm(records, "nothing").per_image()
    assert table is not None
    assert list(table.columns) == ["name", SEVERITY_COLUMN, "psnr", "ssim"]
    assert table.psnr.corr(table[SEVERITY_COLUMN]) < -0.9, "a larger error of the input is a lower PSNR"
    order = table.psnr.sort_values(ascending=False).index
    rules = {rule: face["name"] for rule, face in found.gallery["faces"].items()}
    names = table.name.loc[order].tolist()
    assert rules == {"best": names[0], "median": names[COUNT // 2], "worst": names[-1]}
    worst = arm(records, "nothing").picture("worst", "restored")
    assert worst is not None
    assert np.array_equal(read_rgb(worst), read_rgb(pairs / "lq" / f"{rules['worst']}.png"))
    printed = capsys.readouterr().out
    assert f"nothing restored: {COUNT} faces at" in printed
    assert "images/s with metrics" in printed
    board = tmp_path / "studies" / "evaluation" / "leaderboard"
    assert {"leaderboard.md", "leaderboard.csv", "leaderboard.tex", "leaderboard.html"} <= {
        p.name for p in board.iterdir()
    }


def test_faces_restored_elsewhere_join_the_same_leaderboard(pairs: Path, tmp_path: Path) -> None:
    benchmark = open_benchmark(pairs, 32)
    assert benchmark.hq is not None
    theirs = tmp_path / "theirs"
    for index, name in enumerate(benchmark.names):
        blend = (benchmark.lq[index].astype(int) + benchmark.hq[index]) // 2
        write_png(theirs / f"{Path(name).stem}.png", blend.astype(np.uint8))
    evaluated(tmp_path, "restorer=identity", f"benchmark={pairs}", "size=32")
    records = evaluated(
        tmp_path, "restorer=external", f"root={theirs}", "label=theirs", f"benchmark={pairs}", "size=32"
    )
    assert sorted(stored.record.arm for stored in records) == ["identity", "input", "theirs"]
    found = arm(records, "theirs").record
    assert found.cost is None
    assert list(found.weights) == ["files"]
    assert found.metrics["psnr"].value > arm(records, "identity").record.metrics["psnr"].value + 5
    (theirs / "0.png").rename(theirs / "zero.png")
    with pytest.raises(UserError, match=r"1 faces have no file in .* \(0\)"):
        evaluated(tmp_path, "restorer=external", f"root={theirs}", f"benchmark={pairs}", "size=32")


def test_photographs_without_originals_are_measured_by_what_needs_none(pairs: Path, tmp_path: Path) -> None:
    photographs = tmp_path / "photographs"
    for path in (pairs / "lq").iterdir():
        write_png(photographs / path.name, read_rgb(path))
    words = ["restorer=bicubic", f"benchmark={photographs}", "size=32", "metrics.primary=piqe"]
    quality = "metrics.measure=[psnr,piqe]", "+metrics.definitions.piqe={kind: pyiqa, name: piqe}"
    records = evaluated(tmp_path, *words, *quality)
    found = arm(records, "bicubic").record
    assert list(found.metrics) == ["piqe"]
    assert found.missing == {"psnr": "it compares with clean originals, and the benchmark has none"}
    assert found.severity == {}
    assert arm(records, "bicubic").picture("best", "truth") is None


def test_evaluations_under_one_label_do_not_replace_each_other(pairs: Path, tmp_path: Path) -> None:
    words = ["restorer=external", f"benchmark={pairs}", "size=32"]
    for name, side in (("good", "hq"), ("bad", "lq")):
        shutil.copytree(pairs / side, tmp_path / name)
        records = evaluated(tmp_path, *words, f"root={tmp_path / name}")
    values = [stored.record.metrics["psnr"].value for stored in records if stored.record.arm == "external"]
    assert len(values) == 2
    assert max(values) == 100
    text = (tmp_path / "studies" / "evaluation" / "leaderboard" / "leaderboard.md").read_text()
    assert "several runs have this label and seed; the newest counts" in text


def test_rendered_faces_are_told_by_their_names(tmp_path: Path) -> None:
    population = ["data.identities=6", "data.images_per_identity=1", "data.test_identities=3"]
    rendered = [*population, "data.validation_identities=1", "benchmark.count=3", "size=64", "restorer=identity"]
    identity = "metrics.measure=[psnr,id_rendered]"
    (found,) = {s.record.arm: s.record for s in evaluated(tmp_path, *rendered, identity)}.keys() - {"input"}
    assert found == "identity"
    record = arm(read_records(tmp_path / "studies" / "evaluation" / "records").records, "identity").record
    assert record.roles["identity"] == "id_rendered"


def test_a_trained_run_gives_a_curve_over_w(trained_codeformer: Path, tmp_path: Path) -> None:
    words = [f"checkpoint={trained_codeformer}", "fidelity=[0,1]", "benchmark=rendered", "benchmark.count=3"]
    population = ["data.identities=6", "data.images_per_identity=1", "data.test_identities=3"]
    records = evaluated(tmp_path, *words, *population, "data.validation_identities=1", f"save={tmp_path / 'all'}")
    curve = [stored.record for stored in records if stored.record.arm == "codeformer"]
    assert sorted(record.fidelity for record in curve if record.fidelity is not None) == [0.0, 1.0]
    assert curve[0].weights["codeformer"] == curve[1].weights["codeformer"]
    assert {record.knobs["fidelity"] for record in curve} == {0.0, 1.0}
    assert len(list((tmp_path / "all").rglob("*.png"))) == 6
    faces = [np.stack([read_rgb(p) for p in sorted((tmp_path / "all" / w).iterdir())]) for w in ("w0", "w1")]
    assert not np.array_equal(*faces)


@pytest.fixture
def trained_codeformer(tmp_path: Path) -> Path:
    """A weights file of a small CodeFormer whose fusion moves the picture."""
    torch.manual_seed(0)
    network = CodeFormer(AUTOENCODER, PREDICTOR, fused_sizes=[16])
    for parameter in network.fuse_convs_dict.parameters():
        nn.init.normal_(parameter, std=0.1)
    built_from = {"autoencoder": asdict(AUTOENCODER), "code_predictor": asdict(PREDICTOR), "fused_sizes": [16]}
    path = tmp_path / "codeformer.safetensors"
    save_network(path, "codeformer", network, built_from, {})
    return path


@pytest.fixture(scope="module")
def difface(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Words that name run folders of small networks."""
    runs = save_run(tmp_path_factory.mktemp("runs"))
    prior, backbone = runs["diffusion_prior"], runs["restoration_backbone"]
    return ["restorer=difface", f"checkpoint={prior}", f"sampling.backbone={backbone}", "size=32"]


def test_lists_of_sampling_settings_give_a_record_each(pairs: Path, difface: list[str], tmp_path: Path) -> None:
    lists = ["sampling.solver=[ddim,unipc]", "sampling.start=[200,400]", "sampling.steps=2", "sampling.eta=[0,1]"]
    records = evaluated(tmp_path, *difface, *lists, f"benchmark={pairs}", "seed=5")
    found = [stored for stored in records if stored.record.arm == "difface"]
    knobs = [stored.record.knobs for stored in found]
    ddim = [{"solver": "ddim", "start": n, "steps": 2, "eta": eta, "seed": 5} for n in (200, 400) for eta in (0.0, 1.0)]
    unipc = [{"solver": "unipc", "start": n, "steps": 2, "seed": 5} for n in (200, 400)]
    assert sorted(knobs, key=str) == sorted(ddim + unipc, key=str)
    assert {stored.folder.name for stored in found} >= {"ddim-n200-k2-e0-s5", "unipc-n400-k2-s5"}
    assert len({stored.record.identity for stored in found}) == 1, "one network, one curve"
    assert len({stored.record.metrics["psnr"].value for stored in found}) == len(found)
    for stored in found:
        assert set(stored.record.weights) == {"diffusion_prior", "restoration_backbone"}
        assert stored.record.cost is not None
        assert stored.record.cost.network_evaluations == 3


def test_a_face_is_restored_the_same_in_batches_of_any_size(pairs: Path, difface: list[str], tmp_path: Path) -> None:
    values = []
    for batch_size in (1, COUNT):
        words = [*difface, "sampling.steps=2", f"benchmark={pairs}", f"batch_size={batch_size}"]
        values.append(arm(evaluated(tmp_path / str(batch_size), *words), "difface").per_image())
    assert np.allclose(values[0].psnr, values[1].psnr, atol=0.01)


def test_the_backbone_is_evaluated_alone(pairs: Path, difface: list[str], tmp_path: Path) -> None:
    backbone = difface[2].removeprefix("sampling.backbone=")
    words = ["restorer=difface_backbone", f"checkpoint={backbone}", "size=32", f"benchmark={pairs}"]
    record = arm(evaluated(tmp_path, *words), "difface_backbone").record
    assert (record.knobs, list(record.weights)) == ({}, ["restoration_backbone"])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("sampling.start=1000", "sampling.start: 1000 is not in 1 to 999"),
        ("sampling.start=0", "sampling.start: 0 must be a whole number from 1 on"),
        ("sampling.steps=[20,401]", "sampling.steps: 401 is not in 1 to 400"),
        ("sampling.backbone=null", "sampling.backbone: not given; checkpoint is the diffusion prior"),
        ("sampling.backbone=nowhere", "sampling.backbone: nowhere does not exist"),
        ("sampling.tile=17", "sampling.tile: 17 is no multiple of 2"),
        ("fidelity=0.5", "fidelity: 0.5 is no setting of difface"),
    ],
)
def test_a_mistake_of_sampling_is_one_sentence(words: str, sentence: str, difface: list[str], tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        evaluate_job(settings(*difface, words, f"run_store={tmp_path}"), [])
    assert str(caught.value).startswith(sentence)
    assert not (tmp_path / "studies").exists(), "nothing was written"


WRONG = {
    "benchmark=nowhere": "benchmark: 'nowhere' is neither a folder, nor one in benchmarks, nor one of rendered",
    "restorer=external": "root: None is not a folder",
    "root=.": "root: '.' is used by restorer=external alone",
    "fidelity=1.5": "fidelity: 1.5 must lie",
    "fidelity=[0.5,high]": "fidelity: 'high' is no number",
    "batch_size=0": "batch_size: 0 must be 1 or more",
    "label=a/b": "label: 'a/b' names a folder",
    "metrics.primary=lpips": "metrics.primary: 'lpips' is not one of",
    "severity.by=age": "severity.by: 'age' is not one of",
    "severity.edges=[3,2]": "severity.edges: [3.0, 2.0] must be two or more rising numbers",
    "fidelity=[]": "fidelity: [] must name at least one",
    "size=0": "size: 0 must be 1 or more",
    "study=..": "study: '..' names a folder",
    "seed=3": "seed: 3 changes nothing, since codeformer draws nothing",
    "restorer=bicubic fidelity=0.5": "fidelity: 0.5 is no setting of bicubic",
    "metrics.primary=psnr_of_luma": "metrics.primary: 'psnr_of_luma' is not one of",
    "restorer=gfpgan": "restorer: 'gfpgan' is not one of",
    "sampling.start=100": "sampling.start: 100 is no setting of codeformer; leave it out, or take restorer=difface",
    "checkpoint=nowhere": "checkpoint: nowhere does not exist",
    "restorer=identity": "size: not given, and identity takes faces of any",
    "restorer=identity size=32 metrics.primary=ssim metrics.measure=[psnr]": "metrics.primary: 'ssim' cannot be measured",
    "metrics.strict=true metrics.measure=[psnr,id_mobilefacenet] metrics.weights_dir=nowhere": "metrics.strict: 1 metrics",
}


@pytest.mark.parametrize("words", WRONG)
def test_a_mistake_is_one_sentence(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BFR_WEIGHTS_DIR", str(tmp_path))
    try:
        config = settings(*words.split(), f"run_store={tmp_path}")
        evaluate_job(config, [])
    except UserError as error:
        sentence = str(error)
    except SystemExit:
        sentence = capsys.readouterr().err
    assert WRONG[words] in sentence
    assert not (tmp_path / "studies").exists(), "nothing was written"


def test_help_and_mistakes_do_not_load_torch(root: Path, tmp_path: Path) -> None:
    watched = "import sys, runpy; sys.argv = ['evaluate', *sys.argv[1:]]\n"
    watched += "try: runpy.run_module('src.evaluate', run_name='__main__')\n"
    watched += "except SystemExit as end: print('status', end.code, 'torch' in sys.modules)"
    out_of_range = ["restorer=difface", "sampling.steps=500"]
    for words, status in ((["fidelity=2"], "2"), (out_of_range, "2"), (["fidelty=1"], "1"), (["--help"], "0")):
        done = subprocess.run(
            [sys.executable, "-c", watched, *words],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert f"status {status} False" in done.stdout or (status == "0" and "Measures restored" in done.stdout), done
