"""Inception as FID was defined with: TensorFlow's network of 2015-12-05 in pytorch-fid's conversion (`inception_fid`)."""

from collections import OrderedDict

import torch
from jaxtyping import Float
from torch import Tensor, nn

from src.metrics.face_batch import Image, Landmarks
from src.metrics.float32 import float32_convolutions
from src.metrics.inception_inputs import InceptionInput

CLASSIFIER = "fc."
"""Prefix of the weights behind the pooled features, which the distances do not use."""


def inception_trunk(weights: dict[str, Tensor]) -> nn.Module:
    """From (b, 3, 299, 299), about -1 to 1, to 2048 pooled features; the layers bear the names that the file gives them.

    torch-fidelity's blocks pool as TensorFlow does, torchvision's do not.
    """
    trunk = nn.Sequential(_layers())
    trunk.load_state_dict({key: value for key, value in weights.items() if not key.startswith(CLASSIFIER)})
    return trunk.eval().requires_grad_(False)


def _layers() -> OrderedDict[str, nn.Module]:
    from torch_fidelity import feature_extractor_inceptionv3 as blocks

    return OrderedDict(
        Conv2d_1a_3x3=blocks.BasicConv2d(3, 32, kernel_size=3, stride=2),
        Conv2d_2a_3x3=blocks.BasicConv2d(32, 32, kernel_size=3),
        Conv2d_2b_3x3=blocks.BasicConv2d(32, 64, kernel_size=3, padding=1),
        MaxPool_1=nn.MaxPool2d(kernel_size=3, stride=2),
        Conv2d_3b_1x1=blocks.BasicConv2d(64, 80, kernel_size=1),
        Conv2d_4a_3x3=blocks.BasicConv2d(80, 192, kernel_size=3),
        MaxPool_2=nn.MaxPool2d(kernel_size=3, stride=2),
        Mixed_5b=blocks.InceptionA(192, pool_features=32),
        Mixed_5c=blocks.InceptionA(256, pool_features=64),
        Mixed_5d=blocks.InceptionA(288, pool_features=64),
        Mixed_6a=blocks.InceptionB(288),
        Mixed_6b=blocks.InceptionC(768, channels_7x7=128),
        Mixed_6c=blocks.InceptionC(768, channels_7x7=160),
        Mixed_6d=blocks.InceptionC(768, channels_7x7=160),
        Mixed_6e=blocks.InceptionC(768, channels_7x7=192),
        Mixed_7a=blocks.InceptionD(768),
        Mixed_7b=blocks.InceptionE_1(1280),
        Mixed_7c=blocks.InceptionE_2(2048),
        AvgPool=nn.AdaptiveAvgPool2d(1),
        Flatten=nn.Flatten(),
    )


class InceptionFeatures:
    """2048 pooled features of faces that `prepare` brought into the shape of the network."""

    def __init__(self, key: str, trunk: nn.Module, prepare: InceptionInput) -> None:
        self.key = key
        self._trunk, self._prepare = trunk, prepare

    @torch.inference_mode()
    def __call__(self, image: Image, landmarks: Landmarks | None) -> Float[Tensor, "b d"]:
        """Features of RGB faces in [0, 1] of any size."""
        with float32_convolutions():
            return self._trunk(self._prepare(image))
