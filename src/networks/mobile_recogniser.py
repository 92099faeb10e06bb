"""Second face recogniser, of inverted residuals: it guides where the other one measures."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from src.settings.scale import MobileRecogniserSize

RESOLUTIONS = 3
"""1/2, 1/4 and 1/8 of the side."""


class _InvertedResidual(nn.Module):
    """Widened by a 1x1 convolution, filtered channel by channel, narrowed without activation (MobileNetV2, arXiv 1801.04381).

    The input is added where the shape stays; with an expansion of 1 nothing is widened.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = expansion * in_channels
        widened = [] if expansion == 1 else _normed(nn.Conv2d(in_channels, hidden, 1, bias=False))
        filtered = _normed(nn.Conv2d(hidden, hidden, 3, stride, padding=1, groups=hidden, bias=False))
        narrowed = [nn.Conv2d(hidden, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)]
        self.keeps_shape = stride == 1 and in_channels == out_channels
        self.layers = nn.Sequential(*widened, *filtered, *narrowed)

    def forward(self, feature: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c_out h_out w_out"]:
        return feature + self.layers(feature) if self.keeps_shape else self.layers(feature)


class MobileRecogniser(nn.Module):
    """Network in the manner of MobileFaceNet (arXiv 1804.07573); it shares no block and no activation with `Recogniser`.

    Channels are `width`, 2 `width`, 4 `width` at 1/2, 1/4, 1/8 of `input_size`, with `repeats` inverted residuals each; at
    1/2, where that costs most, they do not widen. ValueError unless `input_size` divides by 8 and `repeats` and
    `expansion` are at least 1.
    """

    def __init__(self, size: MobileRecogniserSize) -> None:
        super().__init__()
        _check(size)
        self.size = size
        self.stem = nn.Sequential(*_normed(nn.Conv2d(3, size.width, 3, stride=2, padding=1, bias=False)))
        self.blocks = nn.Sequential(*_blocks(size))
        last, side = size.width * 2 ** (RESOLUTIONS - 1), size.input_size // 2**RESOLUTIONS
        self.head = nn.Sequential(
            nn.Conv2d(last, last, side, groups=last, bias=False),
            nn.BatchNorm2d(last),
            nn.Flatten(),
            nn.Linear(last, size.embedding_dim, bias=False),
            nn.BatchNorm1d(size.embedding_dim),
        )

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """Unit-norm embeddings of aligned faces in [-1, 1] of any side; resized bilinearly (antialiased) if needed."""
        side = self.size.input_size
        if image.shape[-2:] != (side, side):
            image = F.interpolate(image, (side, side), mode="bilinear", antialias=True)
        # Depthwise convolutions on a CPU take half the time where the channels lie side by side.
        embedding = self.head(self.blocks(self.stem(image.contiguous(memory_format=torch.channels_last))))
        return F.normalize(embedding.float(), dim=1)


def _normed(convolution: nn.Conv2d) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU()]


def _blocks(size: MobileRecogniserSize) -> list[_InvertedResidual]:
    blocks: list[_InvertedResidual] = []
    channels = size.width
    for resolution in range(RESOLUTIONS):
        width = size.width * 2**resolution
        for number in range(size.repeats):
            stride = 2 if resolution > 0 and number == 0 else 1
            blocks.append(_InvertedResidual(channels, width, stride, 1 if resolution == 0 else size.expansion))
            channels = width
    return blocks


def _check(size: MobileRecogniserSize) -> None:
    if size.input_size % 2**RESOLUTIONS:
        raise ValueError(f"input_size {size.input_size} must be a multiple of {2**RESOLUTIONS}")
    if size.repeats < 1 or size.expansion < 1:
        raise ValueError(f"repeats {size.repeats} and expansion {size.expansion} must be at least 1")
