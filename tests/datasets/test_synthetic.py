import json
import multiprocessing
import pickle
from pathlib import Path

import numpy as np
import pytest

from src.data import FaceSource, build_source, synthetic
from src.data.splits import SPLITS
from src.data.synthetic import SyntheticFaces
from src.faces import RenderedFace, render_face
from src.settings.data import SyntheticFacesSettings
from src.settings.errors import UserError

SIZE = 32


def settings(**changes) -> SyntheticFacesSettings:
    values = {"seed": 3, "identities": 9, "images_per_identity": 4, "validation_identities": 2, "test_identities": 3}
    return SyntheticFacesSettings(kind="synthetic_faces", flip_probability=0.5, **(values | changes))


class Stand:
    """Stands in for the renderer where only the bookkeeping is tested; counts the faces it makes."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, seed: int, identity: int, picture: int, size: int) -> RenderedFace:
        self.made += 1
        rng = np.random.default_rng([seed, identity, picture])
        return RenderedFace(
            image=rng.integers(0, 256, (size, size, 3), np.uint8),
            landmarks5=rng.random((5, 2), np.float32),
            landmarks68=rng.random((68, 2), np.float32),
            parts=np.zeros((size, size), np.uint8),
            identity=identity,
        )


@pytest.fixture
def stand(monkeypatch) -> Stand:
    stand = Stand()
    monkeypatch.setattr(synthetic, "render_face", stand)
    return stand


def contents(source: FaceSource) -> list[tuple]:
    return [
        (source.name(i), source.identity(i), source.image(i).tobytes(), source.landmarks(i).tobytes())
        for i in range(len(source))
    ]


def test_faces_are_those_of_the_renderer_with_and_without_cache(tmp_path):
    few = settings(identities=3, validation_identities=1, test_identities=1, images_per_identity=2)
    for cache in (None, tmp_path):
        source = build_source(few, split="test", size=SIZE, cache=cache)
        assert isinstance(source, FaceSource)
        for index in range(2):
            face = render_face(3, 0, index, SIZE)
            assert (source.image(index) == face.image).all()
            assert (source.landmarks(index) == face.landmarks5).all()


def test_splits_share_no_identity_and_together_hold_all(stand):
    people = {}
    for split in SPLITS:
        source = SyntheticFaces(settings(), split=split, size=SIZE)
        people[split] = {source.name(index).split("_")[0] for index in range(len(source))}
        assert {source.identity(index) for index in range(len(source))} == set(range(source.identities))
        assert len(people[split]) == source.identities
    assert {split: len(found) for split, found in people.items()} == {"train": 4, "validation": 2, "test": 3}
    assert len(set().union(*people.values())) == 9


def test_the_first_faces_are_different_people_and_survive_a_larger_population(stand):
    test = SyntheticFaces(settings(), split="test", size=SIZE)
    assert [test.identity(index) for index in range(6)] == [0, 1, 2, 0, 1, 2]
    larger = SyntheticFaces(settings(identities=90, images_per_identity=7), split="test", size=SIZE)
    assert contents(larger)[: len(test)] == contents(test)
    assert larger.fingerprint() != test.fingerprint()


def test_a_cache_is_rendered_once_and_equal_to_rendering_on_demand(stand, tmp_path):
    expected = contents(SyntheticFaces(settings(), split="train", size=SIZE))
    stand.made = 0
    for _ in range(2):
        source = SyntheticFaces(settings(), split="train", size=SIZE, cache=tmp_path)
        assert contents(source) == expected
        assert stand.made == len(source) == 16
    assert contents(pickle.loads(pickle.dumps(source._store)) and source) == expected
    with pytest.raises(ValueError, match="read-only"):
        source._store.images[0] = 0
    source.image(0)[:] = 0
    assert contents(source) == expected


def test_each_population_size_and_split_has_its_own_cache(stand, tmp_path):
    for split in SPLITS:
        SyntheticFaces(settings(), split=split, size=SIZE, cache=tmp_path)
    SyntheticFaces(settings(), split="test", size=2 * SIZE, cache=tmp_path)
    SyntheticFaces(settings(seed=4), split="test", size=SIZE, cache=tmp_path)
    SyntheticFaces(settings(images_per_identity=5), split="test", size=SIZE, cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 6
    described = [json.loads((folder / "content.json").read_text()) for folder in tmp_path.iterdir()]
    assert sorted(content["split"] for content in described) == ["test"] * 4 + ["train", "validation"]


def test_fingerprint_follows_the_population_and_the_renderer_alone(stand, monkeypatch):
    def fingerprint(split: str = "test", size: int = SIZE, **changes) -> str:
        return SyntheticFaces(settings(**changes), split=split, size=size).fingerprint()

    first = fingerprint()
    assert fingerprint(split="train", size=64) == first
    others = [fingerprint(seed=4), fingerprint(identities=10), fingerprint(test_identities=2)]
    monkeypatch.setattr(synthetic, "RENDERER_VERSION", -1)
    assert len({first, fingerprint(), *others}) == 5


def _build(cache: Path, start, made) -> None:
    stand = Stand()

    def render(*key) -> RenderedFace:
        # The first face is drawn once every builder has found the cache empty: they do race.
        if stand.made == 0:
            start.wait(timeout=60)
        return stand(*key)

    synthetic.render_face = render
    contents(SyntheticFaces(settings(), split="train", size=SIZE, cache=cache))
    made.put(stand.made)


def test_processes_that_build_one_cache_at_once_end_with_one_whole_cache(tmp_path):
    context = multiprocessing.get_context("fork")
    made = context.Queue()
    start = context.Barrier(3)
    builders = [context.Process(target=_build, args=(tmp_path, start, made)) for _ in range(3)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    assert [builder.exitcode for builder in builders] == [0, 0, 0]
    assert [made.get() for _ in builders] == [16, 16, 16]
    assert [folder.name[0] != "." for folder in tmp_path.iterdir()] == [True]


def test_an_interrupted_rendering_leaves_nothing_behind(stand, tmp_path, monkeypatch):
    def interrupt(*key):
        if stand.made == 3:
            raise KeyboardInterrupt
        return stand(*key)

    monkeypatch.setattr(synthetic, "render_face", interrupt)
    with pytest.raises(KeyboardInterrupt):
        SyntheticFaces(settings(), split="train", size=SIZE, cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_or_unwritable_cache_is_named(stand, tmp_path):
    SyntheticFaces(settings(), split="test", size=SIZE, cache=tmp_path / "cache")
    images = next((tmp_path / "cache").glob("*/images.npy"))
    images.write_bytes(images.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"the cached faces are damaged .* delete this folder"):
        SyntheticFaces(settings(), split="test", size=SIZE, cache=tmp_path / "cache")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="the rendered faces cannot be written"):
        SyntheticFaces(settings(), split="test", size=SIZE, cache=tmp_path / "file")


@pytest.mark.parametrize(
    ("changes", "split", "message"),
    [
        ({"identities": 5}, "train", r"data\.identities: 5 leaves none for training"),
        ({"images_per_identity": 0}, "train", r"data\.images_per_identity: 0"),
        ({"test_identities": 0}, "test", r"data\.test_identities: 0 leaves the test split without faces"),
        ({}, "dev", "split: 'dev' is not one of train, validation, test"),
    ],
)
def test_impossible_populations_are_refused(changes, split, message):
    with pytest.raises(UserError, match=message):
        SyntheticFaces(settings(**changes), split=split, size=SIZE)


def test_sizes_that_the_renderer_does_not_make_are_refused():
    for size in (16, 1024):
        with pytest.raises(UserError, match=f"size: {size} pixels; faces are rendered at 32 to 512"):
            SyntheticFaces(settings(), split="test", size=size)


def test_indices_outside_the_split_raise_index_error(stand):
    source = SyntheticFaces(settings(), split="test", size=SIZE)
    for index in (-1, 12):
        for method in (source.image, source.name, source.identity, source.landmarks):
            with pytest.raises(IndexError):
                method(index)
