"""Exact landmarks and part maps of rendered faces, beside the cache and in training samples."""

import pickle
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from src.data import synthetic
from src.data.damage import Stop
from src.data.plan import Share
from src.data.rendered_truth import (
    LANDMARKS_FILE,
    MIRRORED68,
    PARTS_FILE,
    FaceTruth,
    KnowsTruth,
    StoredTruth,
    mirrored68,
    truth_of,
)
from src.data.stream import Key
from src.data.synthetic import SyntheticFaces
from src.data.training_set import CleanFaces, DegradedFaces, Sampling, collate
from src.degradation.chain import chain_of
from src.degradation.recipes import load_recipe
from src.faces import RenderedFace, render_face
from src.settings.data import SyntheticFacesSettings
from src.settings.errors import UserError

SIZE = 32
LARGE = chain_of(load_recipe("codeformer_large"))
BOTH = Sampling(seed=3, flip_probability=0.5, damage=Stop(), exact=("landmarks", "parts"))


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the faces that are rendered."""
    count: Counter[str] = Counter()

    def render(*key: int) -> RenderedFace:
        count["faces"] += 1
        return render_face(*key)

    monkeypatch.setattr(synthetic, "render_face", render)
    return count


def faces(cache: Path | None) -> SyntheticFaces:
    settings = SyntheticFacesSettings(
        kind="synthetic_faces",
        flip_probability=0.5,
        seed=3,
        identities=4,
        images_per_identity=2,
        validation_identities=1,
        test_identities=1,
    )
    return SyntheticFaces(settings, split="train", size=SIZE, cache=cache)


def assert_exact(truth: FaceTruth) -> None:
    for index in range(4):
        face = render_face(3, 2 + index % 2, index // 2, SIZE)
        assert np.array_equal(truth.landmarks68(index), face.landmarks68)
        assert np.array_equal(truth.parts(index), face.parts)


def test_truth_is_that_of_the_renderer_made_once_kept_and_shared(tmp_path: Path, rendered: Counter[str]) -> None:
    assert_exact(faces(None).truth())
    rendered.clear()
    source = faces(tmp_path)
    (folder,) = tmp_path.iterdir()
    assert isinstance(source, KnowsTruth)
    assert rendered["faces"] == 4
    assert not (folder / PARTS_FILE).exists(), "nothing is written before it is asked for"
    for _ in range(2):
        assert_exact(truth_of(source))
        assert_exact(truth_of(faces(tmp_path)))
    assert rendered["faces"] == 8
    assert sorted(path.name for path in folder.iterdir()) == [
        "content.json", "images.npy", "landmarks.npy", LANDMARKS_FILE, PARTS_FILE,
    ]  # fmt: skip
    truth = source.truth()
    assert isinstance(truth, StoredTruth)
    assert len(pickle.dumps(truth)) < 500, "as its folder, not as its arrays"
    assert_exact(pickle.loads(pickle.dumps(truth)))
    truth.landmarks68(0)[:] = 0
    assert_exact(truth)


@pytest.mark.parametrize("is_cached", [True, False])
def test_indices_outside_the_split_raise_index_error(is_cached: bool, tmp_path: Path) -> None:
    truth = faces(tmp_path if is_cached else None).truth()
    for index in (-1, 4):
        for method in (truth.landmarks68, truth.parts):
            with pytest.raises(IndexError):
                method(index)


def test_an_interrupted_rendering_leaves_no_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = faces(tmp_path)

    def interrupt(*key: int) -> RenderedFace:
        if key[1:3] == (2, 1):
            raise KeyboardInterrupt
        return render_face(*key)

    with monkeypatch.context() as patch:
        patch.setattr(synthetic, "render_face", interrupt)
        with pytest.raises(KeyboardInterrupt):
            source.truth()
    assert len(list(next(tmp_path.iterdir()).iterdir())) == 3
    assert_exact(source.truth())


def test_damaged_or_unwritable_truth_is_named(tmp_path: Path) -> None:
    source = faces(tmp_path)
    source.truth()
    parts = next(tmp_path.glob(f"*/{PARTS_FILE}"))
    parts.write_bytes(parts.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"parts\.npy: the cached part maps are damaged .* delete the file"):
        source.truth()
    parts.unlink()
    (parts.parent / LANDMARKS_FILE).unlink()
    (parts.parent / LANDMARKS_FILE).mkdir()
    with pytest.raises(UserError, match="the landmarks of the rendered faces cannot be written"):
        source.truth()


def test_mirroring_twice_changes_nothing_and_keeps_what_is_left_left() -> None:
    points = render_face(3, 0, 0, 64).landmarks68
    mirrored = mirrored68(points, 64)
    np.testing.assert_allclose(mirrored68(mirrored, 64), points, atol=1e-5)
    assert sorted(MIRRORED68) == list(range(68))
    # Frontal faces are near their mirror image, so that a wrong partner would be far away.
    assert np.linalg.norm(mirrored - points, axis=1).max() < 8
    for low, high in ((0, 17), (17, 27), (36, 48), (48, 55)):
        assert (np.sign(np.diff(mirrored[low:high, 0])) == np.sign(np.diff(points[low:high, 0]))).mean() > 0.9


def test_samples_carry_the_truth_the_way_round_that_the_face_is_shown(tmp_path: Path) -> None:
    source = faces(tmp_path)
    samples = DegradedFaces(source, Share(LARGE, 0.5), BOTH)
    ways = set()
    for epoch in range(3):
        for face in range(4):
            sample = samples[Key(1, epoch, face)]
            flipped = not np.array_equal(sample["hq"].numpy(), source.image(face))
            known = render_face(3, 2 + face % 2, face // 2, SIZE)
            parts = cv2.flip(known.parts, 1) if flipped else known.parts
            assert np.array_equal(sample["parts"].numpy(), parts)
            expected = mirrored68(known.landmarks68, SIZE) if flipped else known.landmarks68
            assert torch.equal(sample["landmarks"], torch.from_numpy(expected))
            ways.add(flipped)
    assert ways == {True, False}
    assert collate([samples[Key(1, 0, 0)], samples[Key(1, 0, 1)]])["landmarks"].shape == (2, 68, 2)


def test_the_rest_of_a_sample_does_not_depend_on_what_is_known(tmp_path: Path) -> None:
    plain = Sampling(BOTH.seed, BOTH.flip_probability, BOTH.damage)
    more, fewer = (DegradedFaces(faces(tmp_path), Share(LARGE, 1.0), how)[Key(1, 5, 2)] for how in (BOTH, plain))
    assert set(more) - set(fewer) == {"landmarks", "parts"}
    assert torch.equal(more["lq"], fewer["lq"])
    one = CleanFaces(faces(tmp_path), Sampling(3, 0.5, Stop(), exact=("landmarks",)))[Key(1, 5, 2)]
    assert set(one) - set(fewer) == {"landmarks"}


class OtherFaces:
    """A source of which no more is known than the images."""

    size, identities = 4, 1

    def __len__(self) -> int:
        return 1

    def image(self, index: int) -> np.ndarray:
        return np.zeros((4, 4, 3), np.uint8)

    def name(self, index: int) -> str:
        return "face"

    def identity(self, index: int) -> int:
        return 0

    def landmarks(self, index: int) -> None:
        return None

    def fingerprint(self) -> str:
        return "0" * 64


def test_other_faces_have_no_truth_and_are_refused_only_if_asked() -> None:
    source = OtherFaces()
    CleanFaces(source, Sampling(0, 0.5, Stop()))[Key(1, 0, 0)]
    with pytest.raises(UserError, match="known of rendered faces only; choose data=synthetic_faces"):
        CleanFaces(source, BOTH)
