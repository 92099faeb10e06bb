"""Deep image structure and texture similarity, DISTS (Ding et al. 2020)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d

from src.checkpoints.catalogue import load_weights
from src.metrics.definition import MetricDefinition
from src.metrics.face_batch import FaceBatch, Image
from src.metrics.float32 import float32_convolutions
from src.metrics.kind import BuildContext, missing_weights
from src.metrics.metric import FaceMetric
from src.metrics.pyiqa_weights import joint_sha256

WEIGHTS = ("vgg16", "dists")
"""Entries of the catalogue: the trunk, and the weight of every channel."""
STAGE_ENDS = (3, 8, 15, 22, 29)
"""Layers of VGG16 whose output is compared: relu1_2, 2_2, 3_3, 4_3, 5_3."""
CHANNELS = (3, 64, 128, 256, 512, 512)
"""Of the image itself and of the five stages."""
STABILITY = 1e-6
LEAST_SIDE = 16
"""One pixel is left at the deepest stage."""


@dataclass(frozen=True)
class DistsKind:
    """DISTS; no options."""

    def missing(self, context: BuildContext) -> list[str]:
        """The trunk's weights; those of the channels come with torchmetrics."""
        return missing_weights(WEIGHTS, context)

    def build(self, name: str, context: BuildContext) -> FaceMetric:
        """The metric."""
        network = load_dists(*(load_weights(entry, context.weights_dir) for entry in WEIGHTS)).to(context.device)
        return Dists(network, dists_definition(name, joint_sha256([context.sha256(entry) for entry in WEIGHTS])))


def dists_definition(name: str, sha256: str) -> MetricDefinition:
    """DISTS at the size of the faces."""
    return MetricDefinition(
        id=name,
        role="dists",
        direction="lower",
        range="[0, about 1], 0 for equal images",
        formula="1 - sum over channels of alpha luminance(means) + beta structure(variances), of the image and 5 stages of "
        "VGG16 with L2 pooling; RGB, no resize",
        source="Ding et al., TPAMI 2020, equations 3 to 7",
        least_side=LEAST_SIDE,
        extractor_sha256=sha256,
    )


class Dists:
    """DISTS between the restored and the true face."""

    def __init__(self, network: "DistsNetwork", definition: MetricDefinition) -> None:
        self._network = network.eval()
        self.definitions = (definition,)

    @torch.inference_mode()
    def measure(self, faces: FaceBatch) -> dict[str, Float[Tensor, "b"]]:
        """One distance a face."""
        with float32_convolutions():
            return {self.definitions[0].id: self._network(faces.restored, faces.truth)}


class L2Pooling(nn.Module):
    """Root of the Hann-weighted mean square of 3 x 3 places, at every second one."""

    taps: Tensor

    def __init__(self) -> None:
        super().__init__()
        hann = torch.tensor([0.25, 0.5, 0.25])
        self.register_buffer("taps", torch.outer(hann, hann), persistent=False)

    def forward(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h_half w_half"]:
        """Features at half the size, rounded up."""
        channels = features.shape[1]
        taps = self.taps.expand(channels, 1, 3, 3)
        return (conv2d(features**2, taps, stride=2, padding=1, groups=channels) + 1e-12).sqrt()


class DistsNetwork(nn.Module):
    """VGG16 with L2 pooling, and the weights of its channels."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        from torchvision.models.vgg import cfgs, make_layers

        super().__init__()
        layers = make_layers(cfgs["D"], batch_norm=False)[: STAGE_ENDS[-1] + 1]
        self.features = nn.Sequential(*(L2Pooling() if isinstance(layer, nn.MaxPool2d) else layer for layer in layers))
        self.alpha = nn.Parameter(torch.full((1, sum(CHANNELS), 1, 1), 0.1))
        self.beta = nn.Parameter(torch.full((1, sum(CHANNELS), 1, 1), 0.1))
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), persistent=False)

    def forward(self, restored: Image, truth: Image) -> Float[Tensor, "b"]:
        """Distances of RGB images in [0, 1]."""
        total = self.alpha.sum() + self.beta.sum()
        alphas = (self.alpha.flatten() / total).split(CHANNELS)
        betas = (self.beta.flatten() / total).split(CHANNELS)
        similarity = torch.zeros(len(restored), device=restored.device)
        stages = zip(self._stages(restored), self._stages(truth), alphas, betas, strict=True)
        for x, y, alpha, beta in stages:
            texture, structure = channel_similarity(x, y)
            similarity = similarity + texture @ alpha + structure @ beta
        return 1 - similarity

    def _stages(self, image: Image) -> Iterator[Float[Tensor, "b _ _ _"]]:
        """The image itself, then the features of the five stages."""
        yield image
        features = (image - self.mean) / self.deviation
        for place, layer in enumerate(self.features):
            features = layer(features)
            if place in STAGE_ENDS:
                yield features


def channel_similarity(
    x: Float[Tensor, "b c h w"], y: Float[Tensor, "b c h w"]
) -> tuple[Float[Tensor, "b c"], Float[Tensor, "b c"]]:
    """Similarity of the means (texture) and of the structures of every channel over the whole image."""
    mean_x, mean_y = x.mean((2, 3), keepdim=True), y.mean((2, 3), keepdim=True)
    variance_x, variance_y = ((x - mean_x) ** 2).mean((2, 3)), ((y - mean_y) ** 2).mean((2, 3))
    covariance = ((x - mean_x) * (y - mean_y)).mean((2, 3))
    texture = (2 * mean_x * mean_y + STABILITY) / (mean_x**2 + mean_y**2 + STABILITY)
    return texture.flatten(1), (2 * covariance + STABILITY) / (variance_x + variance_y + STABILITY)


def load_dists(trunk: Mapping[str, Tensor], channels: Mapping[str, Tensor]) -> DistsNetwork:
    """The network with torchvision's VGG16 classifier as its trunk, and `alpha` and `beta` of the authors; eval mode."""
    network = DistsNetwork()
    given = {**trunk, **channels}
    network.load_state_dict({key: given[key] for key in network.state_dict()})
    return network.eval()
