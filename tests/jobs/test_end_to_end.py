"""The main command from nothing to a leaderboard, at a size of seconds; again; and with an arm that fails."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from src.checkpoints.store import RunStatus, read_run
from src.data.image_file import read_rgb
from src.tracking.records import Record, read_records

pytestmark = pytest.mark.timeout(900)

ARMS = ("none", "all_fixed")
UPSTREAM_STAGES = ("vqgan", "code_predictor", "recogniser", "landmark_detector")
SMALL = [
    "scale.autoencoder.image_size=32",
    "scale.autoencoder.width=8",
    "scale.autoencoder.multipliers=[1,2,2]",
    "scale.autoencoder.codebook_size=32",
    "scale.autoencoder.code_dim=8",
    "scale.autoencoder.norm_groups=4",
    "scale.code_predictor.dim=16",
    "scale.code_predictor.heads=2",
    "scale.code_predictor.layers=1",
    "scale.feature_transformation.all_sizes=[16]",
    "scale.discriminator.width=8",
    "scale.discriminator.layers=2",
    "scale.recogniser.width=8",
    "scale.recogniser.input_size=32",
    "scale.landmark_detector.width=8",
    "scale.landmark_detector.input_size=32",
    "vqgan.losses.perceptual=0",
    "vqgan.losses.adversarial_start=1",
    "cft.image_losses.perceptual=0",
    "cft.image_losses.adversarial_start=1",
    "cft.phases=[{until: 3, image_every: 1, fidelity: 1.0}, {until: 100, image_every: 2, fidelity: 1.3}]",
    *(f"{stage}.training.{key}=4" for stage in (*UPSTREAM_STAGES, "cft") for key in ("iterations", "batch_size")),
    "data.identities=8",
    "data.images_per_identity=2",
    "data.validation_identities=2",
    "data.test_identities=4",
    "benchmark.count=6",
    "evaluation.fidelities=[0.0,1.0]",
    "evaluation.shown_faces=2",
    "metrics=offline",
    "metrics.bootstrap_resamples=200",
    "trainer.progress=False",
    "trainer.threads=1",
    *(f"upstream.{stage}=train" for stage in UPSTREAM_STAGES),
]


class Suite:
    """A run store and the command that fills it."""

    def __init__(self, root: Path, store: Path) -> None:
        self.root, self.store = root, store

    def sweep(
        self, *overrides: str, study: str = "cft_sweep", logger: str = "none", python: str = sys.executable
    ) -> subprocess.CompletedProcess[str]:
        """Run the sweep to its end, all its processes by `python`."""
        given = ["+experiment=cft_sweep", f"study={study}", f"logger={logger}", f"run_store={self.store}"]
        return subprocess.run(
            [python, "-m", "src.train", *given, *SMALL, *overrides],
            cwd=self.root,
            env=os.environ | {"OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"},
            capture_output=True,
            text=True,
            timeout=600,
        )

    def runs(self) -> dict[str, list[RunStatus]]:
        """Status of every run by stage."""
        found = (read_run(path.parent) for path in sorted(self.store.glob("*/*/status.json")))
        statuses = [run.status for run in found if run is not None]
        return {stage: [s for s in statuses if s.stage == stage] for stage in (*UPSTREAM_STAGES, "cft")}

    def records(self, study: str = "cft_sweep") -> dict[tuple[str, float | None], Record]:
        """Records of a study by arm and fidelity."""
        stored = read_records(self.store / "studies" / study / "records")
        assert not stored.problems
        return {(entry.record.arm, entry.record.fidelity): entry.record for entry in stored.records}

    def leaderboard(self, name: str, study: str = "cft_sweep") -> Path:
        """A file of the study's leaderboard."""
        return self.store / "studies" / study / "leaderboard" / name


@pytest.fixture(scope="module")
def suite(root: Path, tmp_path_factory: pytest.TempPathFactory, forked_python: str) -> Suite:
    """The sweep of two arms, run once, with W&B offline."""
    made = Suite(root, tmp_path_factory.mktemp("end_to_end") / "runs")
    done = made.sweep(f"arm={','.join(ARMS)}", logger="wandb", python=forked_python)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert [f"[{n + 1}/2] {arm}" in done.stdout for n, arm in enumerate(ARMS)] == [True, True]
    assert "Traceback" not in done.stderr
    return made


def test_upstream_stages_were_trained_once_and_the_arms_build_on_them(suite: Suite) -> None:
    runs = suite.runs()
    assert {stage: [status.state for status in runs[stage]] for stage in runs} == {
        **{stage: ["finished"] for stage in UPSTREAM_STAGES},
        "cft": ["finished", "finished"],
    }
    for status in runs["cft"]:
        assert status.facts["ingredients"]["vqgan"] == runs["vqgan"][0].weights["vqgan"]
        assert status.facts["ingredients"]["code_predictor"] == runs["code_predictor"][0].weights["codeformer"]


def test_every_arm_has_a_record_at_every_fidelity_and_the_baselines_have_one(suite: Suite) -> None:
    records = suite.records()
    # Without fusion the fidelity changes nothing, and is measured once.
    expected = {("input", None), ("autoencoder", None), ("none", None), ("all_fixed", 0.0), ("all_fixed", 1.0)}
    assert {(arm, None if arm == "none" else w) for arm, w in records} == expected
    assert len(records) == len(expected)
    assert {record.benchmark["hash"] for record in records.values()} == {records["input", None].benchmark["hash"]}
    assert all({"psnr", "ssim"} <= record.metrics.keys() for record in records.values())
    assert all(record.metrics["psnr"].n == 6 for record in records.values())
    assert {arm for (arm, _), record in records.items() if record.baseline} == {"input", "autoencoder"}


def test_leaderboard_curve_and_pictures_are_there(suite: Suite) -> None:
    text = suite.leaderboard("leaderboard.md").read_text()
    assert all(arm in text for arm in (*ARMS, "input", "autoencoder"))
    with suite.leaderboard("leaderboard.csv").open() as handle:
        assert {row["arm"] for row in csv.DictReader(handle)} >= {*ARMS, "input", "autoencoder"}
    assert read_rgb(suite.leaderboard("curve.png")).std() > 0
    grids = {path.stem.split("-")[0]: read_rgb(path) for path in (suite.store / "studies/cft_sweep/images").iterdir()}
    assert grids.keys() == set(ARMS)
    # LQ, two fidelities, HQ against LQ, one fidelity, HQ.
    assert grids["all_fixed"].shape[1] > grids["none"].shape[1]
    assert all(len(np.unique(grid)) > 50 for grid in grids.values())


def test_every_run_has_its_own_offline_wandb_run(suite: Suite) -> None:
    folders = [path.parent for path in suite.store.glob("*/*/status.json")]
    identities = [read_run(folder).status.identity for folder in folders]
    assert len(folders) == len(UPSTREAM_STAGES) + len(ARMS)
    assert all(
        list((folder / "wandb").glob(f"offline-run-*-{name}")) for folder, name in zip(folders, identities, strict=True)
    )
    logged = [json.loads(line) for line in (folders[0] / "train_log.jsonl").read_text().splitlines()]
    assert logged[0]["iteration"] == 1


@pytest.fixture(scope="module")
def repeated(suite: Suite) -> tuple[dict[str, list[RunStatus]], subprocess.CompletedProcess[str]]:
    """The runs before, and the same sweep once more for another study, after the weights of one arm were damaged.

    In processes as a user starts them.
    """
    before = suite.runs()
    [weights] = suite.store.glob("cft/*-none-*/weights/codeformer.safetensors")
    weights.write_bytes(weights.read_bytes()[:100])
    return before, suite.sweep(f"arm={','.join(ARMS)}", study="again")


def test_the_same_command_trains_nothing_anew(suite: Suite, repeated) -> None:
    before, done = repeated
    assert done.stdout.count("already trained") == 2
    assert "training it first" not in done.stdout
    assert suite.runs() == before
    first, second = (suite.records(study)["all_fixed", 1.0] for study in ("cft_sweep", "again"))
    assert (first.identity, first.weights) == (second.identity, second.weights)
    assert {name: value.value for name, value in first.metrics.items()} == {
        name: value.value for name, value in second.metrics.items()
    }


def test_a_failing_arm_is_recorded_and_the_sweep_goes_on(suite: Suite, repeated) -> None:
    _, done = repeated
    assert done.returncode == 1
    assert "1 of 2 jobs failed: none" in done.stderr
    records = suite.records("again")
    assert records["none", None].status == "failed"
    assert "codeformer.safetensors: not a readable safetensors file" in records["none", None].reason
    assert {record.status for key, record in records.items() if key[0] == "all_fixed"} == {"finished"}
    text = suite.leaderboard("leaderboard.md", "again").read_text()
    assert "not a readable safetensors file" in text
    assert "all_fixed" in text
