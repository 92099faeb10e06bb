"""Which pixels of a face belong to it, by ParseNet (codeformer.md 4)."""

from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from src.checkpoints.tensor_file import fill

SIDE = 512
"""Side of the faces that the network sees, pixels."""
CLASSES = 19
OUTSIDE = (0, 14, 16, 17, 18)
"""Classes that are not pasted: background, neck and what lies around the head."""
BLUR_SIGMA = 11.0
BLUR_RADIUS = 50
BLURS = 2
BORDER = 10
"""Width of the frame that is never pasted, pixels."""


class FaceParser:
    """Soft masks of the parts of aligned faces that are pasted; `network` gives class scores "b 19 512 512" first."""

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self._network = network.eval().to(device).to(memory_format=torch.channels_last)
        self._kept = torch.tensor([float(part not in OUTSIDE) for part in range(CLASSES)], device=device)
        self._blur = blur_matrix(SIDE, BLUR_SIGMA, BLUR_RADIUS).matrix_power(BLURS).float().to(device)

    @torch.inference_mode()
    def masks(self, faces: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b h w"]:
        """Weight of every pixel in [0, 1], for RGB faces in [-1, 1]."""
        soft = self._blur @ self._kept[self._parsed(faces)] @ self._blur.T
        inner = F.pad(soft[:, BORDER:-BORDER, BORDER:-BORDER], (BORDER,) * 4)
        return _resized(inner[:, None], *faces.shape[-2:])[:, 0].clamp(0, 1)

    @torch.inference_mode()
    def classes(self, faces: Float[Tensor, "b 3 h w"]) -> Int[Tensor, "b h w"]:
        """The class of every pixel (`CELEBAMASK_CLASSES` of src.metric_learning), for RGB faces in [-1, 1]."""
        found = self._parsed(faces)[:, None].float()
        return F.interpolate(found, faces.shape[-2:], mode="nearest-exact")[:, 0].long()

    def _parsed(self, faces: Float[Tensor, "b 3 h w"]) -> Int[Tensor, "b 512 512"]:
        # One after the other on a CPU: as fast, for a fraction of the memory.
        passes = faces.split(1) if faces.device.type == "cpu" else [faces]
        return torch.cat([self._classes(_resized(some.float(), SIDE, SIDE)) for some in passes])

    def _classes(self, faces: Float[Tensor, "b 3 512 512"]) -> Int[Tensor, "b 512 512"]:
        return self._network(faces.contiguous(memory_format=torch.channels_last))[0].argmax(dim=1)


def build_parser(weights: Path, device: torch.device) -> FaceParser:
    """ParseNet with the weights of a file.

    Raises:
        UserError: the file cannot be read, or holds another network.
    """
    # Imports the whole of facexlib, which takes seconds.
    from facexlib.parsing.parsenet import ParseNet

    with torch.device("meta"):
        network = ParseNet(in_size=SIDE, out_size=SIDE, parsing_ch=CLASSES)
    return FaceParser(fill(network, weights), device)


def blur_matrix(side: int, sigma: float, radius: int) -> Float[Tensor, "s s"]:
    """The matrix B for which B @ image @ B.T is a Gaussian blur with reflected borders, as cv2.GaussianBlur has it."""
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float64)
    kernel = torch.exp(-((offsets / sigma) ** 2) / 2)
    reflected = F.pad(torch.eye(side, dtype=torch.float64)[:, None], (radius, radius), mode="reflect")
    return F.conv1d(reflected, (kernel / kernel.sum())[None, None])[:, 0].T


def _resized(images: Float[Tensor, "b c h w"], height: int, width: int) -> Float[Tensor, "b c h2 w2"]:
    if images.shape[-2:] == (height, width):
        return images
    return F.interpolate(images, size=(height, width), mode="bilinear", antialias=True)
