"""Networks whose features tell sets of faces apart, each under the name that `extractor` options take."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from src.checkpoints.catalogue import load_weights
from src.metrics.face_batch import Extractor, Image, Landmarks
from src.metrics.float32 import float32_convolutions
from src.metrics.inception import InceptionFeatures, inception_trunk
from src.metrics.inception_inputs import InceptionInput, clean_fid_input, pytorch_fid_input, torch_fidelity_input
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
        with float32_convolutions():
            return self._trunk((image - self._mean) / self._std).mean((2, 3))


@dataclass(frozen=True, kw_only=True)
class FeatureNetwork:
    """An extractor that metrics of sets can name."""

    source: str
    """Network, layer and resizing, as they stand in definitions: the resizing belongs to them."""
    weights: str
    """Entry of the catalogue of weights."""
    load: Callable[[BuildContext], Extractor]
    packages: tuple[str, ...] = ()
    """pip packages that it computes with, by the names they are imported by."""
    resizes: bool = True
    """Whether it brings faces of any size to one; else faces of other sizes have other features."""

    def missing(self, context: BuildContext) -> list[str]:
        """A sentence for everything that is lacking here."""
        return [*missing_weights([self.weights], context), *missing_packages(*self.packages)]


def _mobilenet(context: BuildContext) -> Extractor:
    return MobileNetFeatures(load_weights("mobilenet_v2", context.weights_dir), context.device)


def _inception(name: str, resized: str, prepare: InceptionInput) -> FeatureNetwork:
    def trunk(context: BuildContext) -> nn.Module:
        return inception_trunk(load_weights("inception_fid", context.weights_dir)).to(context.device)

    def load(context: BuildContext) -> Extractor:
        return InceptionFeatures(name, context.shared("inception trunk", lambda: trunk(context)), prepare)

    source = f"Inception of 2015-12-05 in pytorch-fid's conversion, pooled, 2048-d; faces resized to 299 {resized}"
    return FeatureNetwork(source=source, weights="inception_fid", load=load, packages=("torch_fidelity",))


FEATURE_NETWORKS = {
    "inception_pytorch_fid": _inception(
        "inception_pytorch_fid", "bilinear without antialiasing, 2x - 1 (pytorch-fid, BasicSR)", pytorch_fid_input
    ),
    "inception_torch_fidelity": _inception(
        "inception_torch_fidelity",
        "bilinear as in TensorFlow 1, (x - 128) / 128 (torch-fidelity)",
        torch_fidelity_input,
    ),
    "inception_clean": _inception(
        "inception_clean", "by Pillow's bicubic in float, clipped, (x - 128) / 128 (clean-fid)", clean_fid_input
    ),
    "mobilenet_v2": FeatureNetwork(
        source="torchvision MobileNetV2 features[:14], mean-pooled, 96-d, faces at their own size",
        weights="mobilenet_v2",
        load=_mobilenet,
        resizes=False,
    ),
}
"""Extractors by the name that `extractor` options take."""
