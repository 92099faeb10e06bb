"""Features of torchvision's ImageNet classifier VGG-19 (arXiv 1409.1556), up to relu4_4; keys as in its file."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

DEPTHS = {"relu2_2": 8, "relu3_4": 17, "relu4_4": 26}
"""Places in the trunk of the activations that are given, at 1/2, 1/4 and 1/8 of the image's side."""
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Vgg19Features(nn.Module):
    """The trunk of VGG-19 without what follows the last given activation."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        from torchvision.models.vgg import cfgs, make_layers

        super().__init__()
        self.features = make_layers(cfgs["E"], batch_norm=False)[: max(DEPTHS.values()) + 1]
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """Activations `DEPTHS`, "b c h_depth w_depth" each, of RGB images in [-1, 1] of at least 8 pixels a side."""
        given = []
        hidden = ((image + 1) / 2 - self.mean) / self.std
        for place, layer in enumerate(self.features):
            hidden = layer(hidden)
            if place in DEPTHS.values():
                given.append(hidden)
        return given


def load_vgg19_features(classifier: Mapping[str, Tensor]) -> Vgg19Features:
    """The trunk with the weights of torchvision's whole classifier (its state dict); eval mode."""
    network = Vgg19Features()
    network.load_state_dict({key: classifier[key] for key in network.state_dict()})
    return network.eval()
