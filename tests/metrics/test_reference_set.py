"""Reference sets of faces in a folder: what they are known by, how they are read, and what is kept of them."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from src.metrics import reference_set
from src.metrics.distribution import KernelKind
from src.metrics.feature_networks import FEATURE_NETWORKS, FeatureNetwork
from src.metrics.kind import BuildContext
from src.metrics.reference_distance import FrechetReferenceKind, FrechetStatisticsKind, KernelReferenceKind
from src.metrics.reference_set import decode_face, image_files, read_folder, reference_features
from src.metrics.set_distances import frechet_distance, kernel_distance
from src.settings.errors import UserError

CPU = torch.device("cpu")


class CountedColours:
    """Mean and deviation of the channels; counts faces and notes their sides."""

    key = "colours"

    def __init__(self) -> None:
        self.sides: list[tuple[int, ...]] = []

    def __call__(
        self, image: Float[Tensor, "b 3 h w"], landmarks: Float[Tensor, "b 5 2"] | None
    ) -> Float[Tensor, "b 6"]:
        self.sides += [tuple(image.shape[2:])] * len(image)
        return torch.cat([image.mean((2, 3)), image.std((2, 3))], dim=1)


def write_faces(folder: Path, n: int, seed: int = 0, side: int = 8) -> np.ndarray:
    """`n` PNGs of noise around colours of their own, in two sub-folders."""
    generator = np.random.default_rng(seed)
    faces = generator.integers(0, 200, (n, 1, 1, 3)) + generator.integers(0, 56, (n, side, side, 3))
    for i, face in enumerate(faces.astype(np.uint8)):
        path = folder / f"{i % 2:05d}" / f"{i:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(face).save(path)
    return faces.astype(np.uint8)


def features_of(faces: np.ndarray) -> np.ndarray:
    return CountedColours()(torch.from_numpy(faces).permute(0, 3, 1, 2).float() / 255, None).numpy()


def measured(folder: Path, extractor: CountedColours, cache: Path | None, sha256: str = "ab") -> np.ndarray:
    found = reference_features(read_folder(folder, cache), extractor, sha256, device=CPU, cache=cache)
    assert found.features is not None
    return found.features


def test_features_are_those_of_the_images_in_the_order_of_their_names(tmp_path: Path) -> None:
    faces = write_faces(tmp_path, 70)
    extractor = CountedColours()
    found = reference_features(read_folder(tmp_path, None), extractor, "ab", device=CPU, cache=None)
    expected = features_of(np.concatenate([faces[::2], faces[1::2]]))
    assert found.features is not None
    np.testing.assert_allclose(found.features, expected, rtol=1e-6)
    np.testing.assert_allclose(found.moments.mean, expected.mean(0), rtol=1e-6)
    covariance = found.moments.root.T @ found.moments.root
    np.testing.assert_allclose(covariance, np.cov(expected, rowvar=False), rtol=1e-5, atol=1e-9)


def test_the_cache_saves_every_pass_until_something_changes(tmp_path: Path) -> None:
    folder, cache = tmp_path / "faces", tmp_path / "cache"
    write_faces(folder, 5)
    extractor = CountedColours()
    first = measured(folder, extractor, cache)
    assert len(extractor.sides) == 5
    np.testing.assert_array_equal(measured(folder, extractor, cache), first)
    assert len(extractor.sides) == 5
    measured(folder, extractor, cache, sha256="cd")
    assert len(extractor.sides) == 10, "other weights"
    Image.fromarray(np.full((8, 8, 3), 9, np.uint8)).save(folder / "more.png")
    measured(folder, extractor, cache)
    assert len(extractor.sides) == 16, "another set"
    (folder / "more.png").unlink()
    measured(folder, extractor, cache)
    assert len(extractor.sides) == 16, "the first set again"
    extractor.key = "other"
    measured(folder, extractor, cache)
    assert len(extractor.sides) == 21, "another extractor"
    assert not list(cache.rglob(".*")), "no temporary file is left"


@pytest.mark.parametrize("damage", [b"", b"no archive", None])
def test_a_damaged_cache_is_computed_anew(damage: bytes | None, tmp_path: Path) -> None:
    folder, cache = tmp_path / "faces", tmp_path / "cache"
    write_faces(folder, 5)
    extractor = CountedColours()
    first = measured(folder, extractor, cache)
    (kept,) = cache.rglob("*.npz")
    half = kept.read_bytes()[: kept.stat().st_size // 2]
    kept.write_bytes(half if damage is None else damage)
    (listing,) = cache.rglob("*.json")
    listing.write_text("[")
    np.testing.assert_array_equal(measured(folder, extractor, cache), first)
    assert len(extractor.sides) == 10
    measured(folder, extractor, cache)
    assert len(extractor.sides) == 10


def test_a_set_is_known_by_what_its_images_hold(tmp_path: Path) -> None:
    write_faces(tmp_path / "a", 4)
    write_faces(tmp_path / "b", 4)
    first = read_folder(tmp_path / "a", None)
    assert first.sha256 == read_folder(tmp_path / "b", None).sha256
    (tmp_path / "b" / "00000" / "000.png").rename(tmp_path / "b" / "renamed.png")
    (tmp_path / "b" / "notes.txt").write_text("no image")
    assert first.sha256 == read_folder(tmp_path / "b", None).sha256
    (tmp_path / "b" / "again.png").write_bytes((tmp_path / "b" / "renamed.png").read_bytes())
    assert first.sha256 != read_folder(tmp_path / "b", None).sha256, "a face twice is another set"


def test_unchanged_files_are_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, cache = tmp_path / "faces", tmp_path / "cache"
    write_faces(folder, 4)
    hashed: list[Path] = []
    compute = reference_set.sha256_of

    def counted(path: Path) -> str:
        hashed.append(path)
        return compute(path)

    monkeypatch.setattr(reference_set, "sha256_of", counted)
    first = read_folder(folder, cache).sha256
    assert read_folder(folder, cache).sha256 == first
    assert len(hashed) == 4
    changed = image_files(folder)[2]
    changed.write_bytes(changed.read_bytes()[:-1] + b"\0")
    os.utime(changed, ns=(1, 1))
    assert read_folder(folder, cache).sha256 != first
    assert hashed[4:] == [changed]


def test_above_the_limit_only_moments_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_set, "MOST_KEPT", 4)
    write_faces(tmp_path / "faces", 5)
    for _ in range(2):
        reference = read_folder(tmp_path / "faces", None)
        found = reference_features(reference, CountedColours(), "ab", device=CPU, cache=tmp_path / "cache")
        assert found.features is None
        assert found.moments.root.shape == (5, 6)


def test_sizes_may_differ_and_a_side_makes_them_one(tmp_path: Path) -> None:
    for side in (8, 16, 16, 8):
        write_faces(tmp_path / str(side), 2, seed=side, side=side)
    extractor = CountedColours()
    measured(tmp_path, extractor, None)
    assert sorted(extractor.sides) == [(8, 8)] * 2 + [(16, 16)] * 2
    extractor.sides.clear()
    reference_features(read_folder(tmp_path, None), extractor, "ab", device=CPU, cache=None, side=8)
    assert extractor.sides == [(8, 8)] * 4
    large = tmp_path / "16" / "00000" / "000.png"
    with Image.open(large) as picture:
        expected = np.asarray(picture.resize((8, 8), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(decode_face(large, 8), expected)


def test_images_are_decoded_to_upright_rgb(tmp_path: Path) -> None:
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(decode_face(tmp_path / "grey.png"), np.repeat(grey[..., None], 3, axis=2))
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned clockwise by a quarter
    Image.fromarray(grey).convert("RGB").save(tmp_path / "turned.png", exif=turned)
    np.testing.assert_array_equal(decode_face(tmp_path / "turned.png")[..., 0], np.rot90(grey, -1))


def test_what_is_no_face_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"a\.png: cannot be decoded .*; replace it"):
        decode_face(tmp_path / "a.png")
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "b.png")
    with pytest.raises(UserError, match=r"b\.png: has more than 8 bits"):
        decode_face(tmp_path / "b.png")
    Image.fromarray(np.zeros((8, 9, 3), np.uint8)).save(tmp_path / "c.png")
    with pytest.raises(UserError, match=r"c\.png: is 9 x 8 pixels"):
        decode_face(tmp_path / "c.png", 8)
    with pytest.raises(UserError, match="holds 0 images"):
        measured(tmp_path / "nowhere", CountedColours(), None)


def test_a_face_without_finite_features_is_refused_by_name(tmp_path: Path) -> None:
    write_faces(tmp_path, 4)

    class Broken(CountedColours):
        def __call__(
            self, image: Float[Tensor, "b 3 h w"], landmarks: Float[Tensor, "b 5 2"] | None
        ) -> Float[Tensor, "b 6"]:
            return super().__call__(image, landmarks).index_fill(0, torch.tensor([2]), torch.nan)

    with pytest.raises(UserError, match=r"001\.png: has no finite features \(colours\)"):
        measured(tmp_path, Broken(), None)


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuildContext:
    """Two networks that need nothing: one that brings faces to one size, and one that takes them at their own."""
    for name, resizes in (("colours", True), ("own_size", False)):
        network = FeatureNetwork(
            source=name, weights="inception_fid", load=lambda context: CountedColours(), resizes=resizes
        )
        monkeypatch.setattr(FeatureNetwork, "missing", lambda self, context: [])
        monkeypatch.setitem(FEATURE_NETWORKS, name, network)
    context = BuildContext(str(tmp_path / "weights"), CPU, cache=tmp_path / "cache")
    context.shared("sha256 inception_fid", lambda: "ab" * 32)
    return context


def test_distances_to_a_folder_need_no_ground_truth(context: BuildContext, tmp_path: Path) -> None:
    faces, restored = write_faces(tmp_path / "faces", 9), features_of(write_faces(tmp_path / "restored", 12, seed=1))
    kinds = [kind("colours", reference=str(tmp_path / "faces")) for kind in (FrechetReferenceKind, KernelReferenceKind)]
    assert [kind.missing(context) for kind in kinds] == [[], []]
    for kind, distance in zip(kinds, (frechet_distance, kernel_distance), strict=True):
        metric = kind.build("d/reference", context)
        assert metric.distances(restored, None)["d/reference"] == pytest.approx(
            distance(restored, features_of(faces)), rel=1e-4
        )
        (definition,) = metric.definitions
        assert definition.needs == ()
        assert definition.reference == "a folder of 9 faces"
        assert (definition.reference_n, definition.extractor_sha256) == (9, "ab" * 32)
        assert definition.reference_sha256 == read_folder(tmp_path / "faces", None).sha256
    assert isinstance(metric.extractor, CountedColours)
    assert len(metric.extractor.sides) == 9, "both metrics share one pass"


def test_faces_at_their_own_size_are_brought_to_the_measured_side(context: BuildContext, tmp_path: Path) -> None:
    write_faces(tmp_path, 3, side=16)
    kind = FrechetReferenceKind("own_size", reference=str(tmp_path))
    assert kind.missing(context) == []
    metric = kind.build("d", replace(context, side=8))
    assert isinstance(metric.extractor, CountedColours)
    assert metric.extractor.sides == [(8, 8)] * 3
    assert metric.definitions[0].reference.endswith("brought to 8 pixels by Pillow's Lanczos")
    resizing = FrechetReferenceKind("colours", reference=str(tmp_path)).build("d", replace(context, side=8))
    assert "brought to 8 pixels" in resizing.definitions[0].reference, "also for an extractor that resizes by itself"


def test_a_definition_for_faces_of_a_side_takes_no_others(context: BuildContext, tmp_path: Path) -> None:
    write_faces(tmp_path, 3, side=16)
    kind = FrechetReferenceKind("colours", reference=str(tmp_path), images=3, side=16)
    assert kind.missing(replace(context, side=16)) == []
    assert kind.missing(replace(context, side=8)) == ["it is defined for faces of 16 pixels, and these have 8"]
    (sentence,) = replace(kind, side=8).missing(replace(context, side=8))
    assert f"the reference set {tmp_path} holds images of 16 pixels, expected 8" in sentence


def test_a_folder_that_is_not_the_reference_is_refused(
    context: BuildContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_faces(tmp_path / "three", 3)
    three = str(tmp_path / "three")
    sentences = [
        kind.missing(context)
        for kind in (
            FrechetReferenceKind("colours"),
            FrechetReferenceKind("colours", reference=str(tmp_path / "nowhere")),
            FrechetReferenceKind("colours", reference=three, images=70000),
            FrechetReferenceKind("colours", reference=three, images=3),
        )
    ]
    assert sentences[0][0].startswith("no reference set is given: ")
    assert "nowhere holds 0 images, expected at least two: correct it by" in sentences[1][0]
    assert "three holds 3 images, expected 70000: correct it by" in sentences[2][0]
    assert sentences[3] == []
    monkeypatch.setattr("src.metrics.reference_distance.MOST_KEPT", 2)
    (sentence,) = KernelReferenceKind("colours", reference=three).missing(context)
    assert sentence.endswith("three holds more than the 2 images of which all pairs are taken")


def test_published_statistics_are_a_reference(
    context: BuildContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = FrechetStatisticsKind("colours", statistics="inception_ffhq512_basicsr", images=50000)
    (sentence,) = kind.missing(context)
    assert sentence.startswith("inception_FFHQ_512-f7b384ab.pth is missing: fetch https://github.com/TencentARC/VQFR")
    drawn = np.random.default_rng(0).normal(size=(40, 6))
    path = tmp_path / "statistics.pth"
    torch.save({"mean": drawn.mean(0), "cov": np.cov(drawn, rowvar=False)}, path)
    monkeypatch.setattr("src.metrics.reference_distance.verified_weights", lambda name, folder: path)
    context.shared("sha256 inception_ffhq512_basicsr", lambda: "f7b384ab")
    metric = kind.build("fid/x", context)
    restored = np.random.default_rng(1).normal(size=(30, 6))
    assert metric.distances(restored, None)["fid/x"] == pytest.approx(frechet_distance(restored, drawn), rel=1e-9)
    (definition,) = metric.definitions
    assert (definition.reference_n, definition.reference_sha256, definition.needs) == (50000, "f7b384ab", ())
    with pytest.raises(ValueError, match="statistics 'x' is no file of the catalogue"):
        FrechetStatisticsKind("colours", statistics="x", images=2)


def test_restored_faces_are_passed_once_for_ground_truth_and_reference(context: BuildContext, tmp_path: Path) -> None:
    write_faces(tmp_path, 3)
    to_folder = KernelReferenceKind("colours", reference=str(tmp_path)).build("a", context)
    assert to_folder.extractor is KernelKind("colours").build("b", context).extractor
