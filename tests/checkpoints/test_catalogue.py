"""Finding and checking the weights of metrics."""

import hashlib
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from src.checkpoints.catalogue import (
    CATALOGUE,
    WeightsEntry,
    find_weights,
    licence_of,
    load_weights,
    missing_sentence,
    torch_folder,
    verified_weights,
    weights_folder,
)
from src.checkpoints.published import PUBLISHED_NETWORKS
from src.settings.errors import UserError

PACKAGE = "a_package_with_weights"


@pytest.fixture
def entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> WeightsEntry:
    """An entry of a made-up package, and a torch cache of the test's own."""
    entry = WeightsEntry(
        file="net.pth",
        sha256="0" * 8,
        url="https://example.org/net.pth",
        licence="MIT",
        folder="net",
        package=PACKAGE,
        package_folder="inner/weights",
    )
    monkeypatch.setitem(CATALOGUE, "net", entry)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("BFR_WEIGHTS_DIR", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(tmp_path / "site")
    return entry


def place(path: Path, content: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def install(site: Path) -> Path:
    """A package that fails when it is imported."""
    place(site / PACKAGE / "__init__.py", b"raise ImportError('must not be imported')\n")
    return place(site / PACKAGE / "inner" / "weights" / "net.pth")


def test_places_are_searched_in_order(entry: WeightsEntry, tmp_path: Path) -> None:
    where = tmp_path / "weights"
    assert find_weights("net", str(where)) is None
    later = [install(tmp_path / "site"), place(tmp_path / "torch" / "hub" / "checkpoints" / entry.file)]
    for path in [*later, where / entry.file, where / entry.folder / entry.file]:
        place(path)
        if path != later[0]:  # both of the last places exist from the start
            assert find_weights("net", str(where)) == path
    assert find_weights("net", None) == later[1]


def test_a_package_is_read_without_being_imported(entry: WeightsEntry, tmp_path: Path) -> None:
    path = install(tmp_path / "site")
    assert find_weights("net", None) == path
    assert PACKAGE not in sys.modules


@pytest.mark.parametrize("name", ["st_lpips_alex", "mobilenet_v2"])
def test_the_packages_of_the_catalogue_carry_the_published_files(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("BFR_WEIGHTS_DIR", str(tmp_path))
    package = CATALOGUE[name].package
    if find_weights(name, None) is None:
        pytest.skip(f"the package {package} is not installed")
    assert os.sep + str(package) + os.sep in str(verified_weights(name, None))
    assert all(isinstance(value, torch.Tensor) for value in load_weights(name, None).values())
    assert package not in sys.modules


def test_weights_are_loaded_when_the_hash_begins_as_published(
    entry: WeightsEntry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    torch.save({"weight": torch.arange(3)}, tmp_path / entry.file)
    digest = hashlib.sha256((tmp_path / entry.file).read_bytes()).hexdigest()
    for published in (digest, digest[:8]):
        monkeypatch.setitem(CATALOGUE, "net", replace(entry, sha256=published))
        assert load_weights("net", str(tmp_path))["weight"].tolist() == [0, 1, 2]


def test_another_hash_is_refused_with_both(entry: WeightsEntry, tmp_path: Path) -> None:
    path = place(tmp_path / entry.file, b"something else")
    digest = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(UserError) as caught:
        load_weights("net", str(tmp_path))
    assert all(text in str(caught.value) for text in (str(path), digest, entry.sha256, "fetch it again"))


def test_a_missing_file_says_where_to_get_and_put_it(entry: WeightsEntry, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load_weights("net", str(tmp_path))
    sentence = str(caught.value)
    assert sentence == missing_sentence("net", str(tmp_path))
    for text in ("net.pth", entry.url, "MIT", "src.weights fetch net", str(tmp_path / "net" / "net.pth")):
        assert text in sentence
    assert "pip package a-package-with-weights" in sentence
    assert "pip package" not in missing_sentence("vgg16")


def test_entries_are_complete_and_hashes_agree_with_the_names() -> None:
    for name, entry in CATALOGUE.items():
        assert entry.description, name
        assert entry.url.startswith("https://"), name
        assert entry.network is None or entry.network in PUBLISHED_NETWORKS, name
        if entry.sha256 is None:
            continue
        assert entry.sha256_source, name
        assert len(entry.sha256) in (8, 64), name
        assert set(entry.sha256) <= set("0123456789abcdef"), name
        suffix = Path(entry.file).stem.rsplit("-", 1)[-1]
        if len(suffix) == 8:
            assert entry.sha256.startswith(suffix), name
    assert set(PUBLISHED_NETWORKS) <= {entry.network for entry in CATALOGUE.values()}
    assert CATALOGUE["codeformer"].is_non_commercial
    assert not CATALOGUE["vgg16"].is_non_commercial


def test_the_key_moves_the_folder_and_so_does_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("BFR_WEIGHTS_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert weights_folder(None) == tmp_path / "cache" / "blind-face-restoration" / "weights"
    monkeypatch.setenv("BFR_WEIGHTS_DIR", str(tmp_path / "environment"))
    assert weights_folder(None) == tmp_path / "environment"
    assert weights_folder(str(tmp_path / "key")) == tmp_path / "key"


def test_torch_keeps_its_weights_where_we_look(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for key, value in (("TORCH_HOME", tmp_path / "a"), ("XDG_CACHE_HOME", tmp_path / "b")):
        monkeypatch.setenv(key, str(value))
        assert torch_folder() == Path(torch.hub.get_dir()) / "checkpoints"
        monkeypatch.delenv("TORCH_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert torch_folder() == Path(torch.hub.get_dir()) / "checkpoints"


def test_a_file_is_recognised_by_its_hash_or_else_by_its_name() -> None:
    codeformer = CATALOGUE["codeformer"]
    assert licence_of(Path("renamed.pth"), str(codeformer.sha256)) == codeformer.licence
    assert licence_of(Path("codeformer.pth"), "f" * 64) is None
    assert licence_of(Path("somewhere/codeformer_colorization.pth"), "f" * 64) == codeformer.licence
    unconfirmed = CATALOGUE["vqgan"]
    assert licence_of(Path("mine.pth"), str(unconfirmed.sha256)) == unconfirmed.licence
    assert licence_of(Path("vqgan_code1024.pth"), "f" * 64) == unconfirmed.licence
    assert licence_of(None, "f" * 64) is None


@pytest.mark.parametrize("kept", ["{}", "{}\n", "{}  net.pth\n"])
def test_the_hash_beside_a_file_is_held_to_and_an_empty_one_is_none(
    entry: WeightsEntry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kept: str
) -> None:
    monkeypatch.setitem(CATALOGUE, "net", replace(entry, sha256=None))
    path = place(tmp_path / entry.file, b"weights")
    beside = place(tmp_path / "net.pth.sha256")
    assert verified_weights("net", str(tmp_path)) == path
    beside.write_text(kept.format(hashlib.sha256(b"weights").hexdigest().upper()))
    assert verified_weights("net", str(tmp_path)) == path
    path.write_bytes(b"others")
    with pytest.raises(UserError, match="as first fetched, none is published"):
        verified_weights("net", str(tmp_path))
