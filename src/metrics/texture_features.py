"""Chooses the features that CodeFormer++ compares faces in, from the weights at hand."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from src.checkpoints.catalogue import find_weights, load_weights
from src.losses.identity import IdentityLoss
from src.metric_learning.feature_space import FeatureSpace, IdentitySpace, PixelSpace, StLpipsSpace, Vgg19Space
from src.metrics.perceptual_network import load_st_lpips
from src.networks.vgg19_features import load_vgg19_features
from src.settings.errors import UserError


def build_feature_space(kind: str, weights_dir: str | None, guide: Callable[[], IdentityLoss]) -> FeatureSpace:
    """The named features; `auto` takes vgg19 where its weights are found, else the stand-in st_lpips.

    `guide` gives the loss whose embeddings `identity` takes; it is not asked for others.

    Raises:
        UserError: the weights are missing.
    """
    if kind == "auto":
        kind = _best_available(weights_dir)
    if kind == "pixels":
        return PixelSpace()
    if kind == "identity":
        return IdentitySpace(_Embedding(guide()))
    if kind == "st_lpips":
        return StLpipsSpace(load_st_lpips(weights_dir))
    return Vgg19Space(load_vgg19_features(load_weights("vgg19", weights_dir)))


class _Embedding(nn.Module):
    """The embeddings of a loss, as a module that moves with the space it is part of."""

    def __init__(self, loss: IdentityLoss) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        return self.loss.embed(image)


def _best_available(weights_dir: str | None) -> str:
    for kind, weights in (("vgg19", "vgg19"), ("st_lpips", "st_lpips_alex")):
        if find_weights(weights, weights_dir):
            return kind
    raise UserError(
        "texture_fusion.metric_learning.features: neither vgg19 nor st_lpips has its weights here; set "
        "texture_fusion.metric_learning.weight=0, or features=pixels"
    )
