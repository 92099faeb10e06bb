from pathlib import Path

import pytest

from src.restorers import locate
from src.restorers.locate import resolve_checkpoint, resolve_checkpoints
from src.settings.errors import UserError


@pytest.fixture
def bundled(tmp_path, monkeypatch):
    monkeypatch.setattr(locate, "BUNDLED", tmp_path / "bundled")

    def add(stage: str, name: str, kind: str):
        path = tmp_path / "bundled" / stage / name / "weights" / f"{kind}.safetensors"
        path.parent.mkdir(parents=True)
        path.touch()
        return path

    return add


def test_files_and_run_folders_are_found(tmp_path):
    weights = tmp_path / "run" / "weights"
    weights.mkdir(parents=True)
    for kind in ("codeformer", "vqgan"):
        (weights / f"{kind}.safetensors").touch()
        assert resolve_checkpoint(str(tmp_path / "run"), kind) == weights / f"{kind}.safetensors"
        assert resolve_checkpoint(str(weights), kind) == weights / f"{kind}.safetensors"
    (tmp_path / "codeformer.pth").touch()
    assert resolve_checkpoint(str(tmp_path / "codeformer.pth"), "codeformer") == tmp_path / "codeformer.pth"


@pytest.mark.parametrize("text", ["nowhere", ""])
def test_what_is_missing_is_named_with_the_command_that_makes_it(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"checkpoint: .*python -m src\.train \+experiment=quickstart"):
        resolve_checkpoint(text or str(tmp_path / "empty"), "codeformer")


def test_an_empty_text_is_not_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "codeformer.safetensors").touch()
    with pytest.raises(UserError, match="checkpoint: an empty path does not exist"):
        resolve_checkpoint("", "codeformer")


def test_bundled_is_the_final_stage_by_name_or_the_only_one(bundled):
    with pytest.raises(UserError, match="no codeformer weights are bundled with this copy; train one with"):
        resolve_checkpoint("bundled", "codeformer")
    bundled("code_predictor", "tiny64-s0-aaaa", "codeformer")
    only = bundled("cft", "tiny64-s0-bbbb", "codeformer")
    assert resolve_checkpoint("bundled", "codeformer") == only
    second = bundled("cft", "small128-s0-cccc", "codeformer")
    assert resolve_checkpoint("bundled/small128", "codeformer") == second
    for text in ("bundled", "bundled/paper512"):
        with pytest.raises(
            UserError, match=rf"{text} fits [02] of .* bundled/small128-s0-cccc, bundled/tiny64-s0-bbbb"
        ):
            resolve_checkpoint(text, "codeformer")


@pytest.fixture
def difface_runs(tmp_path):
    """Run folders of DifFace's networks."""
    for network in ("diffusion_prior", "restoration_backbone"):
        path = tmp_path / network / "weights" / f"{network}.safetensors"
        path.parent.mkdir(parents=True)
        path.touch()
    return tmp_path


def test_difface_needs_two_files_and_the_backbone_one(difface_runs):
    prior, backbone = (str(difface_runs / network) for network in ("diffusion_prior", "restoration_backbone"))
    found = resolve_checkpoints("difface", prior, backbone)
    assert {network: path.stem for network, path in found.items()} == {
        "diffusion_prior": "diffusion_prior",
        "restoration_backbone": "restoration_backbone",
    }
    assert list(resolve_checkpoints("difface_backbone", backbone, None)) == ["restoration_backbone"]
    assert resolve_checkpoints("identity", "nowhere", None) == {}


def test_a_backbone_that_is_not_given_is_asked_for(difface_runs):
    prior = str(difface_runs / "diffusion_prior")
    for kind in ("difface", "difface_inpainting"):
        with pytest.raises(
            UserError, match=r"sampling\.backbone: not given; .* give its run folder or file, published"
        ):
            resolve_checkpoints(kind, prior, None)
    with pytest.raises(UserError, match=r"sampling\.backbone: nowhere does not exist"):
        resolve_checkpoints("difface", prior, "nowhere")
    with pytest.raises(UserError, match=r"holds no weights/restoration_backbone\.safetensors"):
        resolve_checkpoints("difface", prior, prior)


def test_one_word_means_both_networks(bundled, monkeypatch):
    paths = {kind: bundled(kind, "tiny64-s0-aaaa", kind) for kind in ("diffusion_prior", "restoration_backbone")}
    assert resolve_checkpoints("difface", "bundled", None) == paths
    monkeypatch.setattr(locate, "fetch_weights", lambda name, weights_dir: Path(name))
    published = {"diffusion_prior": Path("difface_unet512"), "restoration_backbone": Path("difface_swinir")}
    assert resolve_checkpoints("difface", "published", None) == published
    assert resolve_checkpoints("difface_backbone", "published", None) == {
        "restoration_backbone": Path("difface_swinir")
    }
    with pytest.raises(UserError, match=r"sampling\.backbone: the authors' .* is no network of this suite"):
        resolve_checkpoints("difface_inpainting", "published", None)
    own = resolve_checkpoints("difface_inpainting", "published", "bundled")
    assert own == {"diffusion_prior": Path("difface_unet256"), "restoration_backbone": paths["restoration_backbone"]}
