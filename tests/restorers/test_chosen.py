"""From files to restorers: networks that do not belong together, and files that hold something else."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from src.checkpoints.files import sha256_of
from src.checkpoints.network_file import save_network
from src.diffusion.process import PUBLISHED
from src.networks import SwinIr
from src.restorers import build_difface, chosen, prior_file
from src.restorers.chosen import ChosenRestorer, Setting
from src.restorers.sampling import Sampling
from src.settings.errors import UserError
from tests.restorers.small_difface import (
    PRIOR_SIZE,
    QUICK,
    difface,
    faces,
    sampling,
    save_backbone,
    save_prior,
    save_swinir,
    small_unet,
)
from tests.small_networks import SWINIR

CPU = torch.device("cpu")
QUICKLY = Setting(sampling=Sampling(**QUICK))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return {
        "diffusion_prior": save_prior(tmp_path / "prior.safetensors"),
        "restoration_backbone": save_backbone(tmp_path / "backbone.safetensors"),
    }


def test_files_give_the_restorer_of_their_networks(files: dict[str, Path]) -> None:
    restorer = ChosenRestorer("difface", files).built(QUICKLY, CPU)
    assert torch.equal(restorer.restore(faces(), [0, 1, 2]), difface().restore(faces(), [0, 1, 2]))
    inpainting = ChosenRestorer("difface_inpainting", files).built(QUICKLY, CPU)
    assert inpainting.name == "difface_inpainting"
    alone = ChosenRestorer("difface_backbone", {"restoration_backbone": files["restoration_backbone"]})
    backbone = alone.built(Setting(), CPU)
    assert (backbone.name, backbone.image_size, backbone.knobs) == ("difface_backbone", None, {})
    assert restorer.parameters > backbone.parameters
    assert ChosenRestorer("identity").built(Setting(), CPU).name == "identity"


def test_every_file_is_hashed_once(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[Path] = []
    monkeypatch.setattr(chosen, "sha256_of", lambda path: (hashed.append(path), sha256_of(path))[1])
    restorer = ChosenRestorer("difface", files)
    assert restorer.weights == restorer.weights == {network: sha256_of(path) for network, path in files.items()}
    assert hashed == list(files.values())
    assert restorer.licences == {}


def test_a_backbone_of_another_size_than_the_prior_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    fitting = files | {"restoration_backbone": save_swinir(tmp_path / "fits.safetensors", 16)}
    assert ChosenRestorer("difface", fitting).built(QUICKLY, CPU).image_size == 16
    other = files | {"restoration_backbone": save_swinir(tmp_path / "other.safetensors", 32)}
    with pytest.raises(UserError, match=r"sampling\.backbone: was trained at 32 px, the prior of checkpoint at 16 px"):
        ChosenRestorer("difface", other).built(QUICKLY, CPU)


def test_files_that_hold_something_else_are_named(files: dict[str, Path]) -> None:
    swapped = {"diffusion_prior": files["restoration_backbone"], "restoration_backbone": files["diffusion_prior"]}
    with pytest.raises(UserError, match=r"backbone\.safetensors: holds a srcnn; a diffusion prior is a diffusion_unet"):
        ChosenRestorer("difface", swapped).built(QUICKLY, CPU)
    with pytest.raises(UserError, match=r"prior\.safetensors: holds no restoration backbone"):
        ChosenRestorer("difface_backbone", swapped).built(Setting(), CPU)


def test_the_process_is_that_of_the_file(files: dict[str, Path], tmp_path: Path) -> None:
    short = replace(PUBLISHED, steps=200, schedule="cosine")
    files["diffusion_prior"] = save_prior(tmp_path / "short.safetensors", short, objective="simple")
    with pytest.raises(UserError, match=r"sampling\.start: 400 is not in 1 to 199"):
        ChosenRestorer("difface", files).built(QUICKLY, CPU)
    built = ChosenRestorer("difface", files).built(Setting(sampling=sampling(start=199)), CPU)
    assert built.restore(faces(), [0, 1, 2]).isfinite().all()
    loaded = prior_file.load_prior(files["diffusion_prior"])
    assert (len(loaded.schedule), loaded.learned_variance) == (200, False)


def test_a_file_that_names_no_process_has_the_published_one_or_is_refused(tmp_path: Path) -> None:
    size, path = {"diffusion_unet": asdict(PRIOR_SIZE)}, tmp_path / "prior.safetensors"
    save_network(path, "diffusion_unet", small_unet(), size, {"published": "difface_unet512"})
    loaded = prior_file.load_prior(path)
    assert (len(loaded.schedule), loaded.schedule.betas[-1], loaded.learned_variance) == (1000, 0.02, True)
    save_network(path, "diffusion_unet", small_unet(), size, {})
    with pytest.raises(UserError, match="does not say which noising process it inverts"):
        prior_file.load_prior(path)


@pytest.mark.parametrize(("kind", "prior"), [("difface", "difface_unet512"), ("difface_inpainting", "difface_unet256")])
def test_published_files_are_read_as_the_authors_networks(
    kind: str, prior: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small networks stand in for those of 160 million parameters, whose layout test_published reads."""
    networks = {prior: small_unet(), "difface_swinir": SwinIr(replace(SWINIR, image_size=16))}
    for module in (prior_file, build_difface):
        monkeypatch.setattr(module, "load_published", lambda name, path: networks[name])
    files = {network: tmp_path / f"{network}.pth" for network in ("diffusion_prior", "restoration_backbone")}
    for path in files.values():
        path.write_bytes(b"published")
    restorer = ChosenRestorer(kind, files).built(QUICKLY, CPU)
    assert restorer.name == kind
    assert restorer.restore(faces(1), [0]).isfinite().all()
