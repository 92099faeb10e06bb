"""Recognisers are verified on people they have never seen; what a split has no pair for is said to be missing."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from src.checkpoints.network_file import load_network, save_network
from src.checkpoints.store import RunStatus, StoredRun
from src.config.compose import compose_train
from src.data.benchmark import Benchmark
from src.data.levels import to_network
from src.jobs.evaluate_run import load_benchmark
from src.jobs.restorations import channels_first
from src.jobs.verification import evaluate_recogniser
from src.networks.mobile_recogniser import MobileRecogniser
from src.networks.recogniser import Recogniser
from src.settings.commands import TrainConfig
from src.settings.scale import MobileRecogniserSize, RecogniserSize
from tests.datasets.faces_on_disk import write_face

CPU = torch.device("cpu")
SETTINGS = {
    "recogniser": {"input_size": 32, "width": 8, "embedding_dim": 16},
    "mobile_recogniser": {"input_size": 32, "width": 8, "expansion": 2, "repeats": 1, "embedding_dim": 16},
}


def config_of(root: Path, store: Path, stage: str, people: list[str]) -> TrainConfig:
    """A configuration whose test split shows these people, a picture each time."""
    rows = [[f"{number}.png", name, "test"] for number, name in enumerate(people)]
    rows += [["train.png", "trained", "train"]]
    for number, (file, *_) in enumerate(rows):
        write_face(root / file, number, side=32)
    with (root / "faces.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([["file", "identity", "split"], *rows])
    return compose_train(
        ["data=folder", f"data.root={root}", "scale.autoencoder.image_size=32", f"run_store={store}", f"stage={stage}"]
    )


def run_of(folder: Path, stage: str, kind: str) -> StoredRun:
    """A finished run with random weights."""
    torch.manual_seed(0)
    sizes = SETTINGS[kind]
    network = (
        Recogniser(RecogniserSize(**sizes)) if kind == "recogniser" else MobileRecogniser(MobileRecogniserSize(**sizes))
    )
    path = folder / "weights" / f"{stage}.safetensors"
    path.parent.mkdir(parents=True)
    sha256 = save_network(path, kind, network, {kind: sizes}, {})
    return StoredRun(folder, RunStatus(stage, "identity", "name", "finished", weights={stage: sha256}))


def cosines_of(run: StoredRun, benchmark: Benchmark) -> np.ndarray:
    network = load_network(run.weights_file(run.status.stage)).network
    with torch.inference_mode():
        embedding = network(to_network(channels_first(benchmark.clean_faces())))
    return (embedding.double() @ embedding.double().T).numpy()


@pytest.mark.parametrize(("stage", "kind"), [("recogniser", "recogniser"), ("guide_recogniser", "mobile_recogniser")])
def test_pairs_of_the_split_are_told_apart_by_the_stages_own_network(stage: str, kind: str, tmp_path: Path) -> None:
    config = config_of(tmp_path / "faces", tmp_path / "store", stage, ["a", "b", "a"])
    run = run_of(tmp_path / "run", stage, kind)
    numbers = evaluate_recogniser(config, run, CPU)
    cosines = cosines_of(run, load_benchmark(config))
    assert numbers["clean_cosine_same"] == pytest.approx(cosines[0, 2])
    assert numbers["clean_cosine_different"] == pytest.approx((cosines[0, 1] + cosines[1, 2]) / 2)
    above = [cosines[0, 2] > cosines[0, 1], cosines[0, 2] > cosines[1, 2]]
    assert numbers["clean_auc"] == pytest.approx(np.mean(above))
    assert json.loads((run.folder / "verification.json").read_text()) == numbers | {"faces": 3}


@pytest.mark.parametrize(
    ("people", "measured"),
    [("abc", "cosine_different"), ("aaa", "cosine_same")],
    ids=["one picture each", "one person"],
)
def test_a_split_without_pairs_is_said_to_have_none(
    people: str, measured: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_of(tmp_path / "faces", tmp_path / "store", "guide_recogniser", list(people))
    run = run_of(tmp_path / "run", "guide_recogniser", "mobile_recogniser")
    numbers = evaluate_recogniser(config, run, CPU)
    assert set(numbers) == {f"clean_{measured}", f"degraded_{measured}"}
    text = (run.folder / "verification.json").read_text()
    assert "NaN" not in text
    stored = json.loads(text)
    assert [name for name, value in stored.items() if value is None] == [
        name for name in stored if name not in (*numbers, "faces")
    ]
    assert stored["clean_auc"] is None
    assert {name: stored[name] for name in numbers} == numbers
    shown = capsys.readouterr().out
    assert "no pair of faces for clean_auc" in shown
    assert "nan" not in shown
