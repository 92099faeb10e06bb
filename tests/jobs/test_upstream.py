"""Where a stage finds the networks that it builds on."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from src.checkpoints.store import RunStatus, RunStore, StoredRun, write_status
from src.config.compose import compose_train
from src.config.identity import effective_config
from src.jobs import upstream
from src.jobs.upstream import WEIGHTS_OF_STAGE, Upstreams, needed_stages
from src.settings.commands import TrainConfig
from src.settings.errors import UserError


@pytest.fixture(scope="module")
def base() -> TrainConfig:
    return compose_train(["stage=cft"])


class Place:
    """A run store, a folder in the place of the bundled checkpoints, and what was trained into the store."""

    def __init__(self, base: TrainConfig, root: Path) -> None:
        self.config = replace(base, run_store=str(root / "runs"))
        self.store, self.bundled = RunStore(root / "runs"), RunStore(root / "bundled")
        self.trained: list[str] = []

    def upstreams(self, **choices: str) -> Upstreams:
        """A fresh resolution with these choices of `upstream.*`."""
        config = replace(self.config, upstream=replace(self.config.upstream, **choices))
        return Upstreams(config, lambda stage, seed: self.train(config, stage))

    def train(self, config: TrainConfig, stage: str) -> None:
        """Stand for the training process: leave a finished run in the run store."""
        self.trained.append(stage)
        self.add(self.store, stage, Upstreams(config, self.refuse).identity_of(stage), "trained")

    def add(self, store: RunStore, stage: str, identity: str, name: str, state: str = "finished") -> StoredRun:
        """A run folder without networks, whose weights' hash is its name."""
        status = RunStatus(stage, identity, name, state, weights={WEIGHTS_OF_STAGE[stage]: f"hash of {name}"})
        return write_status(store.folder(stage, name), status)

    def refuse(self, stage: str, seed: int) -> None:
        raise AssertionError(f"{stage} should not be trained")


@pytest.fixture
def place(base: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    found = Place(base, tmp_path)
    monkeypatch.setattr(upstream, "BUNDLED", found.bundled.root)
    return found


def test_auto_prefers_the_run_store_then_bundled_then_trains(place: Place) -> None:
    wanted = place.upstreams().identity_of("vqgan")
    assert place.upstreams().of("vqgan").status.name == "trained"
    assert place.trained == ["vqgan"]
    (place.store.folder("vqgan", "trained") / "status.json").unlink()
    place.add(place.bundled, "vqgan", wanted, "from_repository")
    assert place.upstreams().of("vqgan").status.name == "from_repository"
    place.add(place.store, "vqgan", wanted, "own")
    assert place.upstreams().of("vqgan").status.name == "own"
    assert place.trained == ["vqgan"]


def test_train_ignores_bundled_and_reuses_the_run_store(place: Place) -> None:
    place.add(place.bundled, "vqgan", place.upstreams().identity_of("vqgan"), "from_repository")
    for _ in range(2):
        assert place.upstreams(vqgan="train").of("vqgan").status.name == "trained"
    assert place.trained == ["vqgan"]


def test_bundled_takes_no_other_and_refuses_when_absent(place: Place) -> None:
    wanted = place.upstreams().identity_of("vqgan")
    place.add(place.store, "vqgan", wanted, "own")
    with pytest.raises(UserError, match=r"upstream\.vqgan: bundled, but the repository carries no vqgan .*auto"):
        place.upstreams(vqgan="bundled").of("vqgan")
    place.add(place.bundled, "vqgan", wanted, "from_repository")
    assert place.upstreams(vqgan="bundled").of("vqgan").status.name == "from_repository"
    assert not place.trained


@pytest.mark.parametrize("state", ["running", "failed"])
def test_an_unfinished_run_is_not_found_and_refused_by_path(place: Place, state: str) -> None:
    run = place.add(place.store, "vqgan", place.upstreams().identity_of("vqgan"), "half", state)
    with pytest.raises(UserError, match=rf"upstream\.vqgan: .*half holds a {state} run .*expected a finished run"):
        place.upstreams(vqgan=str(run.folder)).of("vqgan")
    assert place.upstreams().of("vqgan").status.name == "trained"


def test_a_path_to_nothing_or_to_another_stage_is_refused(place: Place, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"upstream\.vqgan: the folder .*absent does not exist.*stage=vqgan"):
        place.upstreams(vqgan=str(tmp_path / "absent")).of("vqgan")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no run"):
        place.upstreams(vqgan=str(tmp_path / "empty")).of("vqgan")
    other = place.add(place.store, "recogniser", "0" * 10, "other")
    with pytest.raises(UserError, match=r"a finished run of stage recogniser, expected .* stage vqgan"):
        place.upstreams(vqgan=str(other.folder)).of("vqgan")


def test_a_path_to_a_run_of_another_scale_is_refused_before_its_weights_are_read(place: Place) -> None:
    run = place.add(place.store, "vqgan", "0" * 10, "named")
    assert place.upstreams(vqgan=str(run.folder)).of("vqgan").status.name == "named"
    small = effective_config(compose_train(["stage=vqgan", "scale=small128"]))
    (run.folder / "config.json").write_text(json.dumps(small))
    with pytest.raises(UserError, match=r"upstream\.vqgan: .* scale small128, whose autoencoder, .* scale tiny64"):
        place.upstreams(vqgan=str(run.folder)).of("vqgan")
    same = effective_config(replace(place.config, stage="vqgan"))
    (run.folder / "config.json").write_text(json.dumps(same))
    assert place.upstreams(vqgan=str(run.folder)).of("vqgan").status.name == "named"


def test_a_training_that_leaves_no_run_is_an_error(place: Place) -> None:
    with pytest.raises(UserError, match=r"upstream\.vqgan: training it gave no finished run"):
        Upstreams(place.config, lambda stage, seed: None).of("vqgan")


def test_identity_downstream_changes_with_the_hash_upstream(place: Place) -> None:
    one = place.add(place.store, "vqgan", "1" * 10, "one")
    two = place.add(place.store, "vqgan", "2" * 10, "two")
    first, second = (place.upstreams(vqgan=str(run.folder)) for run in (one, two))
    assert first.identity_of("code_predictor") != second.identity_of("code_predictor")
    assert first.identity_of("vqgan") == second.identity_of("vqgan")
    assert first.of("code_predictor").status.identity != second.of("code_predictor").status.identity
    assert first.identity_of("cft") != second.identity_of("cft")
    assert place.trained == ["code_predictor", "code_predictor"]


def test_stages_train_in_order_and_once(place: Place) -> None:
    upstreams = place.upstreams()
    for stage in needed_stages(place.config):
        upstreams.of(stage)
    ingredients = upstreams.ingredients("cft")
    assert place.trained == ["vqgan", "code_predictor", "landmark_detector", "recogniser"]
    assert list(ingredients) == ["data", "vqgan", "code_predictor"]
    assert ingredients["vqgan"] == "hash of trained"


def test_identity_follows_the_training_faces(place: Place) -> None:
    other = replace(place.config, data=replace(place.config.data, seed=7))
    assert Upstreams(other, place.refuse).identity_of("vqgan") != place.upstreams().identity_of("vqgan")


def test_photographs_need_no_recogniser(base: TrainConfig) -> None:
    photographs = replace(base, data=compose_train(["data=folder", "data.root=/x"]).data)
    assert needed_stages(photographs) == ("vqgan", "code_predictor")
    assert needed_stages(replace(base, stage="recogniser")) == ()
