"""Chooses the recogniser of an identity loss: not the one that ranks, where there are two."""

import torch

from src.checkpoints.catalogue import find_weights
from src.losses.identity import IdentityLoss
from src.metrics.kind import BuildContext
from src.metrics.recognisers import RECOGNISERS, AlignedEmbedder, GreyEmbedder
from src.networks.recogniser import Recogniser
from src.settings.errors import UserError

GUIDES = {"arcface_resnet18_grey": "arcface_resnet18", "mobilefacenet": "mobilefacenet"}
"""Recognisers that guide the training on photographs, and their weights: GFPGAN's own first. IR-SE50 only measures."""


def has_guide(weights_dir: str | None) -> bool:
    """Whether a recogniser of photographs is at hand."""
    return any(find_weights(weights, weights_dir) for weights in GUIDES.values())


def build_identity_loss(weights_dir: str | None, rendered: Recogniser | None) -> IdentityLoss:
    """The loss of the recogniser of rendered faces, or of the first of `GUIDES` whose weights are here.

    Raises:
        UserError: no recogniser of photographs has its weights.
    """
    if rendered is not None:
        return IdentityLoss("rendered", rendered, rendered)
    for name, weights in GUIDES.items():
        if find_weights(weights, weights_dir):
            return _published(name, weights_dir)
    raise UserError(
        f"texture_fusion.identity: none of {', '.join(GUIDES)} has its weights here; fetch one with `python -m src.weights "
        "fetch`, or set texture_fusion.identity=0"
    )


def _published(name: str, weights_dir: str | None) -> IdentityLoss:
    embedder = RECOGNISERS[name].load(BuildContext(weights_dir, torch.device("cpu")))
    assert isinstance(embedder, AlignedEmbedder | GreyEmbedder)
    return IdentityLoss(name, embedder.network, lambda faces: embedder.embed((faces.float() + 1) / 2, None))
