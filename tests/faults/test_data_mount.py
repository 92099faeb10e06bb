"""Faces whose disk or storage goes away while they are read: retried where that can help, told otherwise, never skipped."""

import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import torch

from src.data import image_memory, streamed
from src.data.damage import damage_policy
from src.data.datamodule import FaceDataModule
from src.data.folder import FolderFaces
from src.data.pack import pack
from src.data.source import FaceSource
from src.data.streamed import StreamedFaces
from src.data.training_set import CleanFaces, Sampling
from src.settings.data import StreamedSettings
from src.settings.errors import UserError
from tests.datasets.faces_on_disk import folder_settings, splits_of, write_folder
from tests.stages.small import RandomFaces

SIZE = 24


def _batches(source: FaceSource, *, workers: int, on_damaged: str = "stop") -> Any:
    """The training stream over the source."""
    faces = CleanFaces(source, Sampling(0, 0.5, damage_policy(on_damaged)))
    data = FaceDataModule(faces, batch_size=4, iterations=12, seed=0, workers=workers, channels_last=False)
    return iter(data.loader(start=0, rank=0, world_size=1))


@pytest.mark.parametrize("on_damaged", ["stop", "skip"])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_folder_that_vanishes_ends_the_training_with_its_path(
    tmp_path: Path, workers: int, on_damaged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is gone is no damaged image: another face would not be found there either."""
    monkeypatch.setattr(image_memory, "BUDGET", 0)
    root = write_folder(tmp_path / "faces")
    source = FolderFaces(folder_settings(root), split="train", size=SIZE, look_over=False)
    batches = _batches(source, workers=workers, on_damaged=on_damaged)
    assert next(batches)["hq"].shape == (4, SIZE, SIZE, 3)
    shutil.rmtree(root)
    said = rf"{re.escape(str(root))}/\d/\d+\.png: cannot be read \(No such file or directory\)"
    with pytest.raises(UserError) as told:
        list(batches)
    assert re.fullmatch(said, str(told.value))


class SlowFaces(RandomFaces):
    """One face comes from a disk that has to wake up."""

    def image(self, index: int) -> np.ndarray:
        if index == 3:
            time.sleep(0.5)
        return super().image(index)


def test_a_slow_read_is_waited_for_and_changes_nothing() -> None:
    slow, quick = (_batches(source, workers=workers) for source, workers in ((SlowFaces(), 2), (RandomFaces(), 0)))
    for one, other in zip(slow, quick, strict=True):
        assert one["keys"] == other["keys"]
        assert torch.equal(one["hq"], other["hq"])


@pytest.fixture
def failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, OSError], list[float]]:
    """A packed store at memory://faults whose next n answers are an error; returns the pauses before further questions."""
    pack(splits_of(folder_settings(write_folder(tmp_path / "faces")), SIZE), tmp_path / "store")
    storage = fsspec.filesystem("memory")
    for path in (tmp_path / "store").iterdir():
        storage.pipe_file(f"/faults/{path.name}", path.read_bytes())
    whole = type(storage).cat_file

    def fail(times: int, error: OSError) -> list[float]:
        pauses: list[float] = []
        errors = iter([error] * times)

        def cat_file(self: Any, path: str, **where: Any) -> bytes:
            if found := next(errors, None):
                raise found
            return whole(self, path, **where)

        monkeypatch.setattr(type(storage), "cat_file", cat_file)
        monkeypatch.setattr(streamed.time, "sleep", pauses.append)
        return pauses

    return fail


def _streamed() -> StreamedFaces:
    where = StreamedSettings(
        kind="streamed", flip_probability=0.0, on_damaged="skip", root="memory://faults", cache=None
    )
    return StreamedFaces(where, split="train", size=SIZE)


def test_a_storage_that_fails_for_the_moment_is_asked_again(failing: Callable[[int, OSError], list[float]]) -> None:
    source = _streamed()
    expected = source.image(0)
    pauses = failing(3, TimeoutError("no answer"))
    assert (source.image(0) == expected).all()
    assert pauses == sorted(streamed.PAUSES)


@pytest.mark.parametrize(
    ("error", "pauses", "said"),
    [
        (
            TimeoutError("no answer"),
            list(streamed.PAUSES),
            r"images\.bin cannot be read \(no answer\); look at the address",
        ),
        (
            PermissionError("no rights"),
            [],
            r"images\.bin cannot be read \(no rights\); look at the address and credentials",
        ),
        (FileNotFoundError("gone"), [], r"holds no finished packed store \(images\.bin is missing\)"),
    ],
)
def test_a_storage_that_stays_away_is_told(
    failing: Callable[[int, OSError], list[float]], error: OSError, pauses: list[float], said: str
) -> None:
    source = _streamed()
    # An answer that came after all would be taken, so that no further question is asked.
    waited = failing(len(pauses) + 1, error)
    with pytest.raises(UserError, match=said):
        list(_batches(source, workers=0, on_damaged="skip"))
    assert waited == pauses
