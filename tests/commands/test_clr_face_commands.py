"""CLR-Face in `python -m src.evaluate` and `python -m src.restore`: settings, records and what became of the guidance."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from PIL import Image

from src.checkpoints.files import sha256_of
from src.config.compose import CONFIG_DIR
from src.config.schema import register
from src.data.benchmark_layouts import open_benchmark
from src.data.image_file import read_rgb, write_png
from src.evaluate import spelled_out
from src.jobs.check_evaluation import check_evaluation
from src.jobs.evaluate_job import evaluate_job
from src.jobs.evaluated import Candidate
from src.restore import restore
from src.settings.commands import EvaluateConfig
from src.settings.errors import UserError
from src.tracking.records import StoredRecord, read_records
from tests.commands.restore_settings import restore_config
from tests.restorers.small_clr_face import SIDE, save_run

COUNT = 3
SMALL = [
    "metrics=offline",
    "metrics.measure=[psnr,id_guide]",
    "metrics.primary=psnr",
    "metrics.bootstrap_resamples=200",
    "logger=none",
    "progress=false",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_run(tmp_path_factory.mktemp("runs") / "mask")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("pairs") / "mine", np.random.default_rng(0)
    for number in range(COUNT):
        truth = Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8)).resize(
            (SIDE, SIDE), Image.Resampling.BICUBIC
        )
        write_png(folder / "hq" / f"{number}.png", np.array(truth))
        write_png(folder / "lq" / f"{number}.png", np.array(truth.resize((6, 6)).resize((SIDE, SIDE))))
    return folder


def settings(*words: str) -> EvaluateConfig:
    register()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        found = OmegaConf.to_object(compose("evaluate", overrides=spelled_out([*SMALL, *words])))
    assert isinstance(found, EvaluateConfig)
    check_evaluation(found)
    return found


def evaluated(store: Path, *words: str) -> list[StoredRecord]:
    """Records of the study but the degraded input's."""
    evaluate_job(settings(f"run_store={store}", *words), [])
    records = read_records(store / "studies" / "evaluation" / "records").records
    return [stored for stored in records if not stored.record.baseline]


def test_lists_of_settings_give_a_record_each(run: Path, pairs: Path, tmp_path: Path) -> None:
    lists = ["sampling.steps=[2,3]", "guidance.scale=[0,1]", "guidance.target=[recovered,oracle]"]
    words = ["restorer=clr_face", f"checkpoint={run}", "guidance.window=[0,1]", f"benchmark={pairs}", "seed=5"]
    found = evaluated(tmp_path, *words, *lists)
    guided = {"scale": 1.0, "mask": "learned", "gradient": "cheap", "window": "0-1"}
    expected = [
        {"solver": "dpm_solver_pp", "start": 1.0, "steps": steps, "seed": 5} | guide
        for steps in (2, 3)
        for guide in ({"scale": 0.0}, guided | {"target": "recovered"}, guided | {"target": "oracle"})
    ]
    assert sorted((stored.record.knobs for stored in found), key=str) == sorted(expected, key=str)
    assert "dpm_solver_pp-t1-k3-g1-learned-oracle-cheap-window0-1-s5" in {stored.folder.name for stored in found}
    assert len({stored.record.identity for stored in found}) == 1, "one network, one curve"
    assert len({stored.record.metrics["psnr"].value for stored in found}) > 2
    for stored in found:
        record, steps = stored.record, stored.record.knobs["steps"]
        assert set(record.weights) == {path.stem for path in (run / "weights").iterdir()}
        is_guided = record.knobs["scale"] > 0
        told = {"guided_share": 1.0, "not_finite_share": 0.0} if is_guided else {}
        assert {name: record.diagnostics[name] for name in told} == told
        assert bool(record.diagnostics) == is_guided
        # An encoder, a decoder; with guidance the target's recogniser, and two a step, and a recovery or not.
        recovery = record.knobs.get("target") == "recovered"
        assert record.cost is not None
        assert record.cost.network_evaluations == steps + 2 + (1 + 2 * steps + recovery if is_guided else 0)
        guide = record.metrics["id_guide"].definition
        assert guide["extractor_sha256"] == sha256_of(run / "weights" / "guide.safetensors")


def test_the_oracle_needs_clean_faces(run: Path, pairs: Path) -> None:
    words = [
        "restorer=clr_face",
        f"checkpoint={run}",
        "sampling.steps=2",
        f"benchmark={pairs}",
        "guidance.target=oracle",
    ]
    benchmark = replace(open_benchmark(pairs, SIDE), hq=None)
    with pytest.raises(
        UserError, match=r"guidance\.target: oracle leads to the clean faces, and this benchmark has none"
    ):
        next(Candidate(settings(*words), torch.device("cpu")).evaluated(benchmark))
    unguided = Candidate(settings(*words, "guidance.scale=0"), torch.device("cpu"))
    assert next(unguided.evaluated(benchmark)).setting == "dpm_solver_pp-t1-k2-g0-s0"


@pytest.mark.parametrize("restorer", ["clr_face_encoder", "identity_recovery"])
def test_its_parts_are_evaluated_alone(restorer: str, run: Path, pairs: Path, tmp_path: Path) -> None:
    (found,) = evaluated(tmp_path, f"restorer={restorer}", f"checkpoint={run}", f"size={SIDE}", f"benchmark={pairs}")
    assert (found.record.restorer, found.record.knobs, found.record.diagnostics) == (restorer, {}, {})


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("sampling.start=1.5", "sampling.start: 1.5 must lie in (0, 1]"),
        ("sampling.steps=[5,0]", "sampling.steps: 0 must be a whole number from 1 on"),
        (
            "sampling.solver=ddpm",
            "sampling.solver: ddpm is no solver of the process vp, which the score model of checkpoint",
        ),
        ("sampling.backbone=runs", "sampling.backbone: runs is no setting of clr_face"),
        ("sampling.tile=16", "sampling.tile: 16 is no setting of clr_face"),
        ("sampling.convention=textbook", "sampling.convention: textbook changes nothing, since clr_face has one"),
        ("guidance.mask=eyes", "guidance.mask: 'eyes' is not one of learned"),
        ("guidance.scale=high", "guidance.scale: 'high'"),
        ("fidelity=0.5", "fidelity: 0.5 is no setting of clr_face"),
        ("checkpoint=nowhere", "checkpoint: nowhere does not exist"),
        ("checkpoint=published", "checkpoint: the authors published no weights of this method"),
    ],
)
def test_a_mistake_is_one_sentence(words: str, sentence: str, run: Path) -> None:
    with pytest.raises(UserError) as caught:
        Candidate(settings("restorer=clr_face", f"checkpoint={run}", words), torch.device("cpu"))
    assert str(caught.value).startswith(sentence)


def test_faces_are_restored_by_their_seed(
    run: Path, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    common = [f"input={pairs / 'lq'}", f"checkpoint={run}", "restorer=clr_face", "aligned=true", "device=cpu"]
    common += ["sampling.steps=2", "guidance.window=[0,1]", "progress=false", "colour=keep", "precision=exact"]
    changes = {"first": [], "again": ["batch_size=2"], "other": ["seed=1"], "unguided": ["guidance.scale=0"]}
    for name, words in changes.items():
        assert restore(restore_config([*common, f"output={tmp_path / name}", *words])) == 0
    pictures = {
        name: np.stack([read_rgb(path).astype(int) for path in sorted((tmp_path / name / "results").glob("*.png"))])
        for name in changes
    }
    assert pictures["first"].shape == (COUNT, SIDE, SIDE, 3)
    assert np.abs(pictures["again"] - pictures["first"]).max() <= 1
    assert np.abs(pictures["other"] - pictures["first"]).mean() > 1
    assert np.abs(pictures["unguided"] - pictures["first"]).max() > 1
    report = json.loads((tmp_path / "unguided" / "restore.json").read_text())
    assert report["knobs"] == {"solver": "dpm_solver_pp", "start": 1.0, "steps": 2, "scale": 0.0, "seed": 0}
    assert set(report["weights_sha256"]) == {path.stem for path in (run / "weights").iterdir()}
    assert "clr_face on cpu, fp32" in capsys.readouterr().err


def test_photos_have_no_oracle(run: Path, pairs: Path, tmp_path: Path) -> None:
    words = [f"input={pairs / 'lq'}", f"output={tmp_path / 'out'}", f"checkpoint={run}", "restorer=clr_face"]
    with pytest.raises(UserError, match=r"guidance\.target: oracle leads to the clean face, which no photo shows"):
        restore(restore_config([*words, "aligned=true", "guidance.target=oracle"]))
    assert not (tmp_path / "out").exists()
