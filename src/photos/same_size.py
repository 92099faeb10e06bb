"""Detection of pictures of one size in one pass."""

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import UInt8

from src.photos.face import Face

Pictures = Sequence[UInt8[np.ndarray, "_ _ 3"]]
"""Of one size or several."""

PIXELS = 8_000_000
"""A pass sees no more than these, or one picture; ResNet-50's features take about 400 bytes each."""
CPU_PIXELS = 1_000_000
"""The same on a CPU, where more than one picture outgrows the caches and takes longer."""


def detected_together(
    pictures: Pictures, detect: Callable[[UInt8[np.ndarray, "b h w 3"]], list[list[Face]]], device: torch.device
) -> list[list[Face]]:
    """Faces of every picture, in the order of the pictures, where `detect` takes several of one size."""
    most = CPU_PIXELS if device.type == "cpu" else PIXELS
    places: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, picture in enumerate(pictures):
        places[picture.shape[0], picture.shape[1]].append(index)
    found: list[list[Face]] = [[] for _ in pictures]
    for (height, width), indices in places.items():
        count = max(1, most // (height * width))
        for first in range(0, len(indices), count):
            chosen = indices[first : first + count]
            for index, faces in zip(chosen, detect(np.stack([pictures[i] for i in chosen])), strict=True):
                found[index] = faces
    return found
