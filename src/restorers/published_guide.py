"""A published recogniser as CLR-Face's guide: no run keeps its weights, the mask's file names it."""

from collections.abc import Mapping
from pathlib import Path

from src.checkpoints.catalogue import find_weights
from src.checkpoints.clr_face_facts import GUIDE_FACT
from src.checkpoints.network_file import load_network
from src.losses.identity import IdentityLoss
from src.metrics.identity_loss import build_identity_loss
from src.settings.errors import UserError

WEIGHTS = {
    "arcface_resnet18_grey": "arcface_resnet18",
    "mobilefacenet": "mobilefacenet",
    "arcface_irse50": "arcface_ir_se50",
    "adaface_ir101": "adaface_ir101",
}
"""Entry of the weights catalogue by the recogniser's name."""


def with_published_guide(files: Mapping[str, Path], weights_dir: str | None) -> dict[str, Path]:
    """The files of a system; where its mask was trained with a published recogniser whose weights are here, with them.

    They become the file `guide`.
    """
    name = None if "guide" in files else _named(files)
    path = find_weights(WEIGHTS[name], weights_dir) if name in WEIGHTS else None
    return dict(files) if path is None else {**files, "guide": path}


def load_published_guide(files: Mapping[str, Path]) -> IdentityLoss:
    """The recogniser whose weights file is `guide`, which the mask's file names.

    Raises:
        UserError: the mask's file names none.
    """
    name = _named(files)
    if name not in WEIGHTS:
        raise UserError(
            f"{files['guide']}: is no weights file of this suite, and no mask says which published one it is"
        )
    return build_identity_loss(str(files["guide"].parent), None, name, key="guide")


def _named(files: Mapping[str, Path]) -> str | None:
    return load_network(files["latent_mask"]).facts.get(GUIDE_FACT) if "latent_mask" in files else None
