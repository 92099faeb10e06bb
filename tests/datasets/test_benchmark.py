import tempfile
from dataclasses import fields, replace

import numpy as np
import pytest

from src.data import FaceSource, image_stack
from src.data.benchmark import assemble, build_benchmark
from src.degradation.engine import degrade
from src.degradation.recipes import load_recipe
from src.settings.data import BenchmarkSettings
from src.settings.errors import UserError
from tests.degradation.chains import changed


class Noise:
    """A source of random pictures (`FaceSource`)."""

    def __init__(self, count: int, size: int = 32, points: bool = True) -> None:
        self.size, self._count, self._points = size, count, points
        self.identities = count

    def __len__(self) -> int:
        return self._count

    def image(self, index: int) -> np.ndarray:
        return np.random.default_rng(index).integers(0, 256, (self.size, self.size, 3), np.uint8)

    def name(self, index: int) -> str:
        return f"face{index}"

    def identity(self, index: int) -> int:
        return index

    def landmarks(self, index: int) -> np.ndarray | None:
        return np.full((5, 2), index, np.float32) if self._points or index else None

    def fingerprint(self) -> str:
        return "noise"


def settings(**changes) -> BenchmarkSettings:
    values = {"root": None, "split": "test", "count": 4, "seed": 1000, "degradation": load_recipe("codeformer_large")}
    return BenchmarkSettings(**(values | changes))


def test_pairs_are_the_first_faces_degraded_by_seed_and_index():
    source = Noise(6)
    assert isinstance(source, FaceSource)
    benchmark = build_benchmark(source, settings(), "b")
    assert benchmark.names == ("face0", "face1", "face2", "face3")
    for index in range(4):
        face = source.image(index)
        assert (benchmark.hq[index] == face).all()
        expected = degrade(face, settings().degradation, seed=1000, index=index, epoch=0)
        assert (benchmark.lq[index] == expected).all()
    assert benchmark.identities.tolist() == [0, 1, 2, 3]
    assert benchmark.landmarks is not None
    assert benchmark.landmarks[3].tolist() == [[3, 3]] * 5


def test_hash_is_stable_and_follows_pixels_names_and_recipe():
    first = build_benchmark(Noise(6), settings(), "b")
    again = build_benchmark(Noise(9), settings(), "another name")
    assert again.hash == first.hash
    # The same pixels under a recipe that says something else are another benchmark.
    relabelled = replace(settings().degradation, name="other")
    others = [settings(seed=1001), settings(count=3), settings(degradation=load_recipe("identity"))]
    others.append(settings(degradation=relabelled))
    hashes = {first.hash, *(build_benchmark(Noise(6), other, "b").hash for other in others)}
    hashes.add(build_benchmark(Noise(6, size=16), settings(), "b").hash)
    assert len(hashes) == 6


def test_all_faces_are_taken_if_there_are_fewer_and_points_must_be_complete():
    benchmark = build_benchmark(Noise(3, points=False), settings(count=64), "b")
    assert len(benchmark) == 3
    assert benchmark.landmarks is None
    with pytest.raises(UserError, match=r"benchmark\.count: 0 must be 1 or more"):
        build_benchmark(Noise(3), settings(count=0), "b")


def test_a_recipe_that_greys_the_target_changes_hq_too():
    recipe = changed("identity", grey={"probability": 1.0, "of_target": True})
    benchmark = build_benchmark(Noise(3), settings(degradation=recipe), "b")
    assert benchmark.hq is not None
    assert (benchmark.hq[..., :1] == benchmark.hq).all()
    assert (benchmark.hq[0] != Noise(3).image(0)).any()


def test_faces_without_originals_are_told_apart_and_refused_where_originals_are_needed():
    pairs = build_benchmark(Noise(3), settings(), "b")
    known = {"hq", "hash", "name"}
    values = {key.name: getattr(pairs, key.name) for key in fields(pairs) if key.name not in known}
    lists = {"identities": pairs.identities.tolist(), "landmarks": list(pairs.landmarks)}
    photos = assemble(**values | lists | {"hq": None, "name": "photos"})
    assert (photos.hash == pairs.hash, len(photos), photos.size) == (False, 3, 32)
    assert photos.manifest()["faces"][0]["hq"] is None
    assert (pairs.clean_faces() == pairs.hq).all()
    with pytest.raises(UserError, match="photos holds photographs without clean originals"):
        photos.clean_faces()


def test_stacks_above_the_limit_lie_on_disk_with_the_same_benchmark(monkeypatch, tmp_path):
    in_memory = build_benchmark(Noise(3), settings(), "b")
    monkeypatch.setattr(image_stack, "IN_MEMORY", 3 * 32 * 32 * 3 - 1)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    on_disk = build_benchmark(Noise(3), settings(), "b")
    assert isinstance(on_disk.lq, np.memmap)
    assert not isinstance(in_memory.lq, np.memmap)
    assert (on_disk.hash, on_disk.manifest()) == (in_memory.hash, in_memory.manifest())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="read-only"):
        on_disk.lq[0] = 0
    with pytest.raises(UserError, match=r"has no room for .* GiB of images .*set TMPDIR"):
        image_stack.empty_stack(2**20, 2**20)


def test_arrays_are_frozen():
    benchmark = build_benchmark(Noise(3), settings(), "b")
    for array in (benchmark.hq, benchmark.lq, benchmark.identities, benchmark.landmarks):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_manifest_tells_apart_pairs_and_identity_leaves_them_equal():
    manifest = build_benchmark(Noise(3), settings(), "b").manifest()
    assert (manifest["count"], manifest["size"], manifest["recipe"]) == (3, 32, "codeformer_large")
    assert len({face[side] for face in manifest["faces"] for side in ("hq", "lq")}) == 6
    clean = build_benchmark(Noise(3), settings(degradation=load_recipe("identity")), "b").manifest()
    assert all(face["hq"] == face["lq"] for face in clean["faces"])
    assert [face["hq"] for face in clean["faces"]] == [face["hq"] for face in manifest["faces"]]
