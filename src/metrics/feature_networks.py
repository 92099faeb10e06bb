"""Networks whose features tell sets of faces apart, each under the name that `extractor` options take."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from src.checkpoints.catalogue import load_weights, verified_weights
from src.metrics.face_batch import Extractor, Image, Landmarks
from src.metrics.kind import BuildContext, missing_packages, missing_weights

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class MobileNetFeatures:
    """Mean-pooled output of the first 14 layers of torchvision's ImageNet MobileNetV2: 96 numbers a face."""

    key = "mobilenet_v2"

    def __init__(self, weights: dict[str, Tensor], device: torch.device) -> None:
        from torchvision.models import mobilenet_v2

        network = mobilenet_v2(weights=None)
        network.load_state_dict(weights)
        self._trunk: nn.Module = network.features[:14].to(device).eval()
        self._mean = torch.tensor(IMAGENET_MEAN, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(IMAGENET_STD, device=device).view(1, 3, 1, 1)

    @torch.inference_mode()
    def __call__(self, image: Image, landmarks: Landmarks | None) -> Float[Tensor, "b d"]:
        """Features of RGB faces in [0, 1] at their own size."""
        return self._trunk((image - self._mean) / self._std).mean((2, 3))


INCEPTION_SOURCE = "torch-fidelity Inception, pool 2048; resized to 299 bilinear with antialiasing (torchmetrics)"
"""The resize belongs to the definition: without antialiasing the distances are others (conventions.md 6.2)."""


class InceptionFeatures:
    """2048-d pool features of torch-fidelity's Inception, from a local weights file."""

    key = "inception"

    def __init__(self, path: str, device: torch.device) -> None:
        from torchmetrics.image.fid import NoTrainInceptionV3

        self._network = NoTrainInceptionV3(
            name="inception-v3-compat", features_list=["2048"], feature_extractor_weights_path=path, antialias=True
        ).to(device)

    @torch.inference_mode()
    def __call__(self, image: Image, landmarks: Landmarks | None) -> Float[Tensor, "b d"]:
        """Features of RGB faces in [0, 1], which the extractor takes as rounded levels."""
        return self._network((image * 255).round().to(torch.uint8))


@dataclass(frozen=True)
class FeatureNetwork:
    """An extractor that metrics of sets can name."""

    source: str
    """Network, layer and resizing, as they stand in definitions: the resizing belongs to them."""
    weights: str
    """Entry of the catalogue of weights."""
    packages: tuple[str, ...]
    """pip packages that it computes with, by the names they are imported by."""
    load: Callable[[BuildContext], Extractor]

    def missing(self, context: BuildContext) -> list[str]:
        """A sentence for everything that is lacking here."""
        return [*missing_weights([self.weights], context), *missing_packages(*self.packages)]


def _mobilenet(context: BuildContext) -> Extractor:
    return MobileNetFeatures(load_weights("mobilenet_v2", context.weights_dir), context.device)


def _inception(context: BuildContext) -> Extractor:
    return InceptionFeatures(str(verified_weights("inception_fid", context.weights_dir)), context.device)


FEATURE_NETWORKS = {
    "mobilenet_v2": FeatureNetwork(
        "torchvision MobileNetV2 features[:14], mean-pooled, 96-d", "mobilenet_v2", (), _mobilenet
    ),
    "inception": FeatureNetwork(INCEPTION_SOURCE, "inception_fid", ("torch_fidelity",), _inception),
}
"""Extractors by the name that `extractor` options take."""
