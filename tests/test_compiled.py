"""Compiled functions work with and without a cache folder."""

import math
from pathlib import Path

import pytest

from src import compiled


@compiled.inline
def _square(x: float) -> float:
    return x * x


def _length(x: float, y: float) -> float:
    return math.sqrt(_square(x) + _square(y))


def test_without_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "cache_folder", lambda package: None)
    assert compiled.kernel(_length)(3.0, 4.0) == 5.0


def test_cache_goes_to_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(compiled, "cache_folder", lambda package: tmp_path)
    assert compiled.kernel(_length)(3.0, 4.0) == 5.0
    assert list(tmp_path.rglob("*.nbi"))


def test_unwritable_folder_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setattr(compiled, "_writable", lambda folder: False)
    assert compiled.cache_folder(tmp_path) is None
    monkeypatch.undo()
    assert not compiled._writable(blocked / "inside")
