"""Chooses the recogniser of an identity loss: not the one that ranks, where there are two."""

import torch
from torch import nn

from src.checkpoints.catalogue import find_weights
from src.losses.identity import IdentityLoss
from src.metrics.kind import BuildContext
from src.metrics.recognisers import RECOGNISERS, AlignedEmbedder, GreyEmbedder
from src.settings.errors import UserError

GUIDES = {"arcface_resnet18_grey": "arcface_resnet18", "mobilefacenet": "mobilefacenet"}
"""Recognisers that guide the training on photographs, and their weights: GFPGAN's own first. IR-SE50 only measures."""
TRAINED = "trained"
"""The recogniser that this suite trained to guide."""
PUBLISHED = ("arcface_resnet18_grey", "mobilefacenet", "arcface_irse50", "adaface_ir101")
"""Published recognisers with a gradient, by the names that their metrics bear."""


def has_guide(weights_dir: str | None) -> bool:
    """Whether a recogniser of photographs is at hand."""
    return any(find_weights(weights, weights_dir) for weights in GUIDES.values())


def build_identity_loss(
    weights_dir: str | None,
    trained: nn.Module | None,
    network: str = TRAINED,
    key: str = "texture_fusion.identity",
) -> IdentityLoss:
    """The loss of the recogniser that this suite trained, or of a published one.

    Args:
        trained: takes faces in [-1, 1], gives unit-norm embeddings. None, with `network` left out: the first of `GUIDES`
            whose weights are here.
        network: `trained`, or a name of `PUBLISHED`.
        key: named by errors.

    Raises:
        UserError: there is no such network, or it has no weights here.
    """
    if network != TRAINED:
        return _published(network, weights_dir, key)
    if trained is not None:
        return IdentityLoss(TRAINED, trained, trained)
    for name, weights in GUIDES.items():
        if find_weights(weights, weights_dir):
            return _published(name, weights_dir, key)
    raise UserError(
        f"{key}: none of {', '.join(GUIDES)} has its weights here; fetch one with `python -m src.weights fetch`, or leave "
        "the loss out"
    )


def published_guide_sha256(network: str, weights_dir: str | None) -> str:
    """SHA-256 of the weights of one of `PUBLISHED`: a record names it as `guide`, so that it judges nobody it guided."""
    return RECOGNISERS[network].sha256(BuildContext(weights_dir, torch.device("cpu")))


def _published(network: str, weights_dir: str | None, key: str) -> IdentityLoss:
    if network not in PUBLISHED:
        raise UserError(
            f"{key}: {network!r} is neither {TRAINED} nor one of {', '.join(PUBLISHED)}, which have a gradient"
        )
    context = BuildContext(weights_dir, torch.device("cpu"))
    if missing := RECOGNISERS[network].missing(context):
        raise UserError(f"{key}: {network} cannot guide: {'; '.join(missing)}")
    embedder = RECOGNISERS[network].load(context)
    assert isinstance(embedder, AlignedEmbedder | GreyEmbedder)
    return IdentityLoss(network, embedder.network, lambda faces: embedder.embed((faces.float() + 1) / 2, None))
