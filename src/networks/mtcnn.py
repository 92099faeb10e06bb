"""MTCNN (Zhang et al., IEEE Signal Processing Letters 2016): a cascade of three small networks, from a package."""

import warnings

import numpy as np
import torch
from jaxtyping import Float, UInt8

PACKAGE = "facenet_pytorch"
"""Carries the networks with their weights, `data/<part>.pt`."""
INSTALL = "pip install --no-deps facenet-pytorch==2.6.0"
"""Without --no-deps it would take torch back to an old version."""
PARTS = ("pnet", "rnet", "onet")
"""The networks, in the order of the cascade."""
LEAST_FACE = 20
"""Side of the smallest face that the first network looks for, pixels; the package's choice, like the next two."""
EARLY_THRESHOLDS = (0.6, 0.7)
"""Least probabilities after the first two networks."""
PYRAMID = 0.709
"""Ratio of neighbouring sizes at which the first network sees a picture."""


class MtcnnCascade:
    """The package's cascade, which must be installed; draws no random numbers and leaves warning filters as they are."""

    def __init__(self, device: torch.device) -> None:
        # The package changes the process's warning filters on import, and draws random weights before it loads its own.
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            from facenet_pytorch.models.mtcnn import MTCNN
            from facenet_pytorch.models.utils.detect_face import detect_face

            self._networks = MTCNN(device=device).eval().requires_grad_(False)
        self._detect_face = detect_face
        self._device = device

    @torch.inference_mode()
    def __call__(
        self, stack: UInt8[np.ndarray, "b h w 3"], confidence: float
    ) -> list[tuple[Float[np.ndarray, "n 5"], Float[np.ndarray, "n 5 2"]]]:
        """Boxes (left, top, right, bottom, probability) and landmarks of every RGB picture, best first; pixels.

        Nothing in pictures narrower than the smallest face.
        """
        if min(stack.shape[1:3]) < LEAST_FACE:
            return [(np.zeros((0, 5), np.float32), np.zeros((0, 5, 2), np.float32)) for _ in stack]
        networks = [getattr(self._networks, part) for part in PARTS]
        thresholds = [*EARLY_THRESHOLDS, confidence]
        boxes, points = self._detect_face(stack, LEAST_FACE, *networks, thresholds, PYRAMID, self._device)
        return [_best_first(rows, five) for rows, five in zip(boxes, points, strict=True)]


def _best_first(boxes: np.ndarray, points: np.ndarray) -> tuple[Float[np.ndarray, "n 5"], Float[np.ndarray, "n 5 2"]]:
    rows = np.array(boxes, np.float32).reshape(-1, 5)
    order = np.argsort(-rows[:, 4], kind="stable")
    return rows[order], np.array(points, np.float32).reshape(-1, 5, 2)[order]
