"""dlib's face recogniser, a ResNet of 128-d descriptors: an identity check from another family of networks."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import normalize

from src.metrics.arcface_alignment import image_landmarks
from src.metrics.face_batch import Image, Landmarks

CHIP, PADDING = 150, 0.25
"""Side of the faces that dlib's network takes, pixels, and the room around them, in parts of the face."""
BOX = 1.24
"""Side of dlib's boxes in parts of eye distance plus distance from eyes to mouth (median over 25 photographs)."""


class DlibEmbedder:
    """dlib's descriptors of faces that its five-point predictor aligns, starting from a box around the given landmarks.

    Descriptors of different people are not orthogonal: on 25 photographs of 9 people, cosines of one person were 0.93 to
    0.99 and of two 0.74 to 0.92.
    """

    key = "dlib"

    def __init__(self, network: Path, predictor: Path) -> None:
        import dlib

        self._dlib = dlib
        self._network = dlib.face_recognition_model_v1(str(network))
        self._predictor = dlib.shape_predictor(str(predictor))

    @torch.inference_mode()
    def __call__(self, image: Image, landmarks: Landmarks | None) -> Float[Tensor, "b 128"]:
        """Unit-norm descriptors of RGB faces in [0, 1]; NaN where a landmark is not finite."""
        levels = (image * 255).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()
        points = image_landmarks(image, landmarks).double().cpu().numpy()
        located = np.isfinite(points).all((1, 2))
        rows = torch.full((len(levels), 128), torch.nan)
        if located.any():
            chips = [self._chip(*face) for face in zip(levels[located], points[located], strict=True)]
            descriptors = np.array(self._network.compute_face_descriptor(chips), np.float32)
            rows[torch.from_numpy(located)] = torch.from_numpy(descriptors)
        return normalize(rows).to(image.device)

    def _chip(self, face: UInt8[np.ndarray, "h w 3"], points: Float[np.ndarray, "5 2"]) -> UInt8[np.ndarray, "n n 3"]:
        face = np.ascontiguousarray(face)
        shape = self._predictor(face, self._dlib.rectangle(*face_box(points)))
        return self._dlib.get_face_chip(face, shape, size=CHIP, padding=PADDING)


def face_box(points: Float[np.ndarray, "5 2"]) -> list[int]:
    """Left, top, right, bottom of the square that dlib's detector would put around a face, about; pixels."""
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    half = BOX * (np.hypot(*(points[1] - points[0])) + np.hypot(*(mouth - eyes))) / 2
    middle = (eyes + mouth) / 2
    return [round(edge) for edge in (*(middle - half).tolist(), *(middle + half).tolist())]
