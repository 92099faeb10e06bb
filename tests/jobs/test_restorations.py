"""A restorer at work, and faces restored elsewhere, which are matched by name."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from src.data.benchmark import Benchmark
from src.data.image_file import write_png
from src.jobs.restorations import RestorerAtWork, external_faces
from src.restorers.identity import IdentityRestorer
from src.settings.errors import UserError
from tests.jobs.test_severity import benchmark_with

RNG = np.random.default_rng(0)


@pytest.fixture
def benchmark() -> Benchmark:
    return benchmark_with([1, 2, 3])


def written(folder: Path, names: list[str], side: int = 8) -> dict[str, np.ndarray]:
    faces = {name: RNG.integers(0, 256, (side, side, 3), np.uint8) for name in names}
    for name, face in faces.items():
        write_png(folder / name, face)
    return faces


def test_faces_come_in_the_benchmarks_order_whatever_the_files_order(tmp_path: Path, benchmark: Benchmark) -> None:
    faces = written(tmp_path, ["face2.png", "face0.png", "face1.png"])
    (tmp_path / "notes.txt").write_text("not a face")
    batch = external_faces(tmp_path, benchmark).batch([2, 0])
    assert np.array_equal(batch[0].permute(1, 2, 0).numpy(), faces["face2.png"])
    assert np.array_equal(batch[1].permute(1, 2, 0).numpy(), faces["face0.png"])


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["face0.png", "face1.png"], r"1 faces have no file in .* \(face2\)"),
        ([f"face{i}.png" for i in range(4)], r"1 faces have no place in the benchmark in .* \(face3\)"),
        (["face0.png", "face1.png", "face2.png", "face2.webp"], r"1 faces have several files each"),
        (["a.png", "b.png", "c.png"], r"3 faces have no file"),
    ],
)
def test_names_that_do_not_match_are_refused(
    names: list[str], sentence: str, tmp_path: Path, benchmark: Benchmark
) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"never read")
    with pytest.raises(UserError, match=sentence):
        external_faces(tmp_path, benchmark)


def test_a_face_of_another_size_is_refused_with_its_path(tmp_path: Path, benchmark: Benchmark) -> None:
    written(tmp_path, ["face0.png", "face1.png"])
    written(tmp_path, ["face2.png"], side=9)
    faces = external_faces(tmp_path, benchmark)
    with pytest.raises(UserError, match=r"face2\.png: is 9 x 9 pixels, the benchmark's faces are 8 x 8"):
        faces.batch([0, 2])
    with pytest.raises(UserError, match="is not a folder"):
        external_faces(tmp_path / "absent", benchmark)


class Stamper(IdentityRestorer):
    """Paints each face with its key, and remembers its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[list[int]] = []

    def restore(self, lq: torch.Tensor, keys: Sequence[int] = ()) -> torch.Tensor:
        self.keys.append(list(keys))
        return torch.tensor(keys).view(-1, 1, 1, 1) / 127.5 - 1 + torch.zeros_like(lq)


def test_a_face_is_restored_under_its_place_in_the_benchmark(benchmark: Benchmark) -> None:
    restorer = Stamper()
    work = RestorerAtWork(restorer, benchmark.lq, torch.device("cpu"))
    assert work.megabytes is None
    restored = torch.cat([work.batch([2, 0]), work.batch([1])])
    assert restorer.keys == [[2, 0], [1]]
    assert restored.dtype == torch.uint8
    assert restored.flatten(1).float().mean(1).tolist() == [2, 0, 1]
    assert len(work.seconds) == 2
    assert min(work.seconds) > 0
