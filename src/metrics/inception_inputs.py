"""How each family of FID brings faces to the 299 pixels of Inception (conventions.md 6.2).

The network is one; the resizing alone makes the numbers of the families incomparable.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image as Picture
from torch import Tensor
from torch.nn.functional import interpolate

from src.metrics.face_batch import Image

SIDE = 299
Prepared = Float[Tensor, "b 3 299 299"]
InceptionInput = Callable[[Image], Prepared]
"""Takes RGB faces in [0, 1] that came from rounded levels."""


def pytorch_fid_input(image: Image) -> Prepared:
    """Bilinear without antialiasing, then 2x - 1: pytorch-fid (DifFace) and BasicSR (GFPGAN, VQFR)."""
    return 2 * interpolate(image, size=(SIDE, SIDE), mode="bilinear", align_corners=False, antialias=False) - 1


def torch_fidelity_input(image: Image) -> Prepared:
    """Bilinear from the upper left corner as TensorFlow 1 does it, then (x - 128) / 128 of levels: torch-fidelity (PMRF)."""
    from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

    resized = interpolate_bilinear_2d_like_tensorflow1x(_levels(image), size=(SIDE, SIDE), align_corners=False)
    return (resized - 128) / 128


def clean_fid_input(image: Image) -> Prepared:
    """Pillow's antialiased bicubic on each channel in float, clipped to levels, then (x - 128) / 128: clean-fid."""
    channels = _levels(image).flatten(0, 1).cpu().numpy()
    resized = np.stack([_bicubic(channel) for channel in channels]).clip(0, 255)
    prepared = torch.from_numpy(resized).to(image.device).unflatten(0, (-1, 3))
    return (prepared - 128) / 128


def _levels(image: Image) -> Image:
    return (image * 255).round()


def _bicubic(channel: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "299 299"]:
    return np.asarray(Picture.fromarray(channel).resize((SIDE, SIDE), Picture.Resampling.BICUBIC))
