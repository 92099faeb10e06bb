"""From the files of DifFace's networks to its restorers."""

from collections.abc import Mapping
from pathlib import Path

import torch

from src.checkpoints.network_file import is_network_file, load_network
from src.checkpoints.published import load_published
from src.networks.srcnn import SrcnnSameResolution
from src.networks.swinir import SwinIr
from src.restorers.difface import BackboneRestorer, DifFaceInpaintingRestorer, DifFaceRestorer
from src.restorers.precision import EXACT, Precision
from src.restorers.prior_file import load_prior
from src.restorers.sampling import Sampling
from src.settings.errors import UserError

PUBLISHED_PRIOR = {"difface": "difface_unet512", "difface_inpainting": "difface_unet256"}
RESTORER_OF_KIND = {"difface": DifFaceRestorer, "difface_inpainting": DifFaceInpaintingRestorer}


def build_backbone_restorer(path: Path, device: torch.device, precision: Precision = EXACT) -> BackboneRestorer:
    """The backbone in a file of this suite, else in the published one.

    Raises:
        UserError: the file is damaged or holds another network.
    """
    network, image_size = _load_backbone(path)
    return BackboneRestorer(network.to(device), image_size, precision)


def _load_backbone(path: Path) -> tuple[SwinIr | SrcnnSameResolution, int | None]:
    network = load_network(path).network if is_network_file(path) else load_published("difface_swinir", path)
    if isinstance(network, SwinIr):
        return network, network.size.image_size
    if isinstance(network, SrcnnSameResolution):
        return network, None
    raise UserError(f"{path}: holds no restoration backbone; train one with `python -m src.train arm=swinir`")


def build_difface(
    kind: str,
    files: Mapping[str, Path],
    sampling: Sampling,
    device: torch.device,
    precision: Precision = EXACT,
) -> DifFaceRestorer:
    """DifFace, or its inpainting variant, on `device`.

    Raises:
        UserError: a file is damaged or holds another network, or the prior has no such `start` or `steps`.
    """
    prior = load_prior(files["diffusion_prior"], PUBLISHED_PRIOR[kind]).to(device)
    backbone = build_backbone_restorer(files["restoration_backbone"], device, precision)
    side = prior.network.size.image_size
    if backbone.image_size not in (None, side):
        raise UserError(
            f"sampling.backbone: was trained at {backbone.image_size} px, the prior of checkpoint at {side} px; choose two "
            "that belong together"
        )
    return RESTORER_OF_KIND[kind](prior, backbone, sampling, precision)
