"""Runs that come with the repository."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from src.checkpoints.bundle import CARD, bundle_run, copied, halved
from src.checkpoints.files import sha256_of
from src.checkpoints.network_file import load_network, save_network
from src.checkpoints.store import STATUS_FILE, RunStatus, RunStore, StoredRun, write_status
from src.networks import Recogniser
from src.settings.errors import UserError
from src.settings.scale import RecogniserSize

SIZE = RecogniserSize(input_size=32, width=4, embedding_dim=8)


@pytest.fixture
def run(tmp_path: Path) -> StoredRun:
    torch.manual_seed(0)
    folder = tmp_path / "runs" / "recogniser" / "a_name"
    path = folder / "weights" / "recogniser.safetensors"
    digest = save_network(path, "recogniser", Recogniser(SIZE), {"recogniser": asdict(SIZE)}, {"run": "a_name"})
    (folder / "verification.json").write_text('{"clean_auc": 0.75}\n')
    (folder / "command.json").write_text('["train"]\n')
    status = RunStatus(
        stage="recogniser",
        identity="abcd",
        name="a_name",
        state="finished",
        weights={"recogniser": digest},
        facts={"data": "ef"},
    )
    return write_status(folder, status)


def test_a_bundled_run_is_found_by_its_identity_with_half_the_bytes(run: StoredRun, tmp_path: Path) -> None:
    target = bundle_run(run.folder, tmp_path / "bundled", halved)
    found = RunStore(tmp_path / "bundled").find("recogniser", "abcd")
    assert found is not None
    assert found.folder == target == tmp_path / "bundled" / "recogniser" / "a_name"
    path = found.weights_file("recogniser")
    assert found.status.weights == {"recogniser": sha256_of(path)}
    assert found.status.weights != run.status.weights
    assert replace(found.status, weights=run.status.weights, updated=run.status.updated) == run.status
    stored = load_file(path)
    assert {tensor.dtype for tensor in stored.values() if tensor.is_floating_point()} == {torch.float16}


def test_a_run_that_others_were_trained_on_keeps_its_hash(run: StoredRun, tmp_path: Path) -> None:
    target = bundle_run(run.folder, tmp_path / "bundled", copied)
    found = RunStore(tmp_path / "bundled").find("recogniser", "abcd")
    assert found is not None
    assert found.status.weights == run.status.weights == {"recogniser": sha256_of(found.weights_file("recogniser"))}
    assert (target / CARD).is_file()


def test_the_weights_are_those_of_the_run_rounded_to_half_precision(run: StoredRun, tmp_path: Path) -> None:
    target = bundle_run(run.folder, tmp_path / "bundled", halved)
    before = load_network(run.weights_file("recogniser"))
    after = load_network(target / "weights" / "recogniser.safetensors")
    assert (after.kind, after.settings, after.facts) == (before.kind, before.settings, before.facts)
    reference = before.network.state_dict()
    for key, tensor in after.network.state_dict().items():
        expected = reference[key].half().float() if tensor.is_floating_point() else reference[key]
        assert torch.equal(tensor, expected), key


def test_the_card_says_what_made_it_and_what_was_measured(run: StoredRun, tmp_path: Path) -> None:
    card = json.loads((bundle_run(run.folder, tmp_path / "bundled", halved) / CARD).read_text())
    assert card == {
        "stage": "recogniser",
        "name": "a_name",
        "facts": {"data": "ef"},
        "command": ["train"],
        "verification": {"clean_auc": 0.75},
    }


def test_bundling_again_gives_the_same_weights(run: StoredRun, tmp_path: Path) -> None:
    hashes = []
    for _ in range(2):
        status = json.loads((bundle_run(run.folder, tmp_path / "bundled", halved) / STATUS_FILE).read_text())
        hashes.append(status["weights"])
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize("state", ["running", "failed"])
def test_an_unfinished_run_is_refused(run: StoredRun, tmp_path: Path, state: str) -> None:
    write_status(run.folder, replace(run.status, state=state))
    for folder in (run.folder, tmp_path / "absent"):
        with pytest.raises(UserError, match=f"{folder.name}: holds no finished run; give a folder such as"):
            bundle_run(folder, tmp_path / "bundled", halved)
    assert not (tmp_path / "bundled").exists()


def test_a_run_whose_weights_are_gone_leaves_nothing_that_counts_as_finished(run: StoredRun, tmp_path: Path) -> None:
    run.weights_file("recogniser").unlink()
    with pytest.raises(UserError, match="has no recogniser weights"):
        bundle_run(run.folder, tmp_path / "bundled", halved)
    assert RunStore(tmp_path / "bundled").find("recogniser", "abcd") is None
