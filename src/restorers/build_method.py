"""From a kind of restorer, its files and a setting to the restorer: the methods that stand alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from src.restorers.base import Restorer
from src.restorers.build import build_restorer
from src.restorers.build_clr_face import build_clr_face
from src.restorers.build_difface import build_backbone_restorer, build_difface
from src.restorers.clr_face_files import CLR_FACE_FILES
from src.restorers.guide_target import Oracle
from src.restorers.knobs import DIFFACE
from src.restorers.latent_sampling import LatentSampling
from src.restorers.precision import EXACT, Precision
from src.restorers.sampling import Sampling


@dataclass(frozen=True)
class Setting:
    """One setting of a restorer; what it does not have is None, and None takes what the published script does."""

    fidelity: float | None = None
    adain: bool | None = None
    sampling: Sampling | None = None
    latent_sampling: LatentSampling | None = None


def build_method(
    kind: str,
    files: Mapping[str, Path],
    setting: Setting,
    device: torch.device,
    precision: Precision = EXACT,
    oracle: Oracle | None = None,
) -> Restorer:
    """The restorer at a setting; `files` are the weights of its networks, by the network's name.

    `oracle` gives the clean faces, which only restorer=clr_face may ask for.

    Raises:
        UserError: a file is damaged or of another kind, or a value of the setting is out of range.
    """
    if kind in CLR_FACE_FILES:
        return build_clr_face(kind, files, setting.latent_sampling, device, precision, oracle)
    if kind in DIFFACE:
        assert setting.sampling is not None
        return build_difface(kind, files, setting.sampling, device, precision)
    if kind == "difface_backbone":
        return build_backbone_restorer(files["restoration_backbone"], device, precision)
    path = next(iter(files.values()), "")
    return build_restorer(kind, str(path), setting.fidelity, setting.adain, device, precision)
