"""Networks that find landmarks in aligned faces, each under the name that its metrics bear."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from src.checkpoints.files import sha256_of
from src.metrics.face_batch import Extractor, Image, Landmarks
from src.metrics.kind import BuildContext, missing_weights
from src.metrics.published_network import load_published
from src.networks.mtcnn import INSTALL, PACKAGE, PARTS, MtcnnCascade

SIDE = 256
"""Side at which landmarks are looked for, pixels."""
UNIT_SIDE = 512
"""Side of the face in whose pixels landmarks are given."""
LEAST_PEAK = 0.2
"""A face whose heatmaps have a median peak below this has not been found; the targets of training have peaks of 1."""
CONFIDENCE = 0.7
"""Least probability of a face that MTCNN finds; its package's choice."""

Rows = Float[Tensor, "b d"]
"""x and y of one landmark after the other, in pixels of a face of 512; NaN where no face was found."""


def resized(image: Image, side: int) -> Float[Tensor, "b 3 {side} {side}"]:
    """Faces of `side` pixels; bilinear without antialiasing, as facexlib's cv2.resize gives them."""
    if image.shape[-2:] == (side, side):
        return image
    return interpolate(image, (side, side), mode="bilinear", align_corners=False)


class HeatmapLandmarks:
    """Landmarks from the last heatmaps of a network that takes RGB faces of 256 pixels in [0, 1]: facexlib's AWing FAN.

    A place is the highest cell's middle, moved by a quarter of a cell towards the higher neighbour in x and in y.
    """

    def __init__(self, key: str, network: nn.Module, least_peak: float = LEAST_PEAK) -> None:
        self.key = key
        self._network = network.eval()
        self._least_peak = least_peak

    @torch.inference_mode()
    def __call__(self, image: Image, landmarks: Landmarks | None) -> Rows:
        """98 landmarks a face; `landmarks` are not used."""
        stacks, _ = self._network(resized(image, SIDE))
        heatmaps = stacks[-1][:, :-1]  # the last one is the outline
        places = heatmap_places(heatmaps) * UNIT_SIDE / heatmaps.shape[-1]
        found = heatmaps.flatten(2).amax(2).quantile(0.5, dim=1) >= self._least_peak
        return places.flatten(1).where(found[:, None], torch.nan)


def heatmap_places(heatmaps: Float[Tensor, "b n h w"]) -> Float[Tensor, "b n 2"]:
    """(x, y) of every heatmap's peak in cells, (0.5, 0.5) in the middle of the first; no move at a border."""
    width = heatmaps.shape[-1]
    peak = heatmaps.flatten(2).argmax(2)
    x, y = peak % width, peak // width
    move_x = _towards_higher(heatmaps.gather(2, y[..., None, None].expand(-1, -1, 1, width))[:, :, 0], x)
    rows = heatmaps.transpose(2, 3)
    move_y = _towards_higher(rows.gather(2, x[..., None, None].expand(-1, -1, 1, rows.shape[-1]))[:, :, 0], y)
    return torch.stack([x + move_x, y + move_y], dim=2) + 0.5


def _towards_higher(lines: Float[Tensor, "b n cells"], places: Tensor) -> Float[Tensor, "b n"]:
    last = lines.shape[-1] - 1
    after = lines.gather(2, (places + 1).clamp_max(last)[..., None])[..., 0]
    before = lines.gather(2, (places - 1).clamp_min(0)[..., None])[..., 0]
    inner = (places > 0) & (places < last)
    return torch.sign(after - before) * 0.25 * inner


class MtcnnLandmarks:
    """Five landmarks of the face that MTCNN finds nearest to the middle."""

    key = "mtcnn5"

    def __init__(self, cascade: MtcnnCascade) -> None:
        self._cascade = cascade

    @torch.inference_mode()
    def __call__(self, image: Image, landmarks: Landmarks | None) -> Rows:
        """Five landmarks a face; `landmarks` are not used."""
        levels = (resized(image, SIDE) * 255).round().clamp(0, 255).byte()
        found = self._cascade(levels.permute(0, 2, 3, 1).cpu().numpy(), CONFIDENCE)
        rows = np.stack([_middle_face(boxes, points) for boxes, points in found])
        return torch.from_numpy(rows * (UNIT_SIDE / SIDE)).float().to(image.device)


class RenderedFaceLandmarks:
    """68 landmarks of the suite's own detector, trained on rendered faces; every face has them."""

    key = "rendered68"

    def __init__(self, network: nn.Module) -> None:
        self._network = network.eval()

    @torch.inference_mode()
    def __call__(self, image: Image, landmarks: Landmarks | None) -> Rows:
        """68 landmarks a face; `landmarks` are not used."""
        height, width = image.shape[-2:]
        unit = torch.tensor([UNIT_SIDE / width, UNIT_SIDE / height], device=image.device)
        return (self._network(image * 2 - 1) * unit).flatten(1)


def _middle_face(boxes: Float[np.ndarray, "n 5"], points: Float[np.ndarray, "n 5 2"]) -> Float[np.ndarray, "10"]:
    """Places in pixels, (0.5, 0.5) in the middle of the first."""
    if not len(boxes):
        return np.full(10, np.nan)
    middles = (boxes[:, :2] + boxes[:, 2:4]) / 2
    nearest = np.hypot(*(middles - (SIDE - 1) / 2).T).argmin()
    return points[nearest].astype(np.float64).ravel() + 0.5


@dataclass(frozen=True)
class LandmarkNetwork:
    """A network that metrics can name."""

    source: str
    """Network and size at which it looks, as it stands in definitions."""
    missing: Callable[[BuildContext], list[str]]
    """A sentence for everything that is lacking here."""
    load: Callable[[BuildContext], Extractor]
    sha256: Callable[[BuildContext], str]
    """Hash of its weights."""


def _load_wflw98(context: BuildContext) -> HeatmapLandmarks:
    # Imports the whole of facexlib, which takes seconds.
    from facexlib.alignment.awing_arch import FAN

    network = FAN(num_modules=4, num_landmarks=98, device=str(context.device))
    load_published(network, "landmarks_wflw", context)
    return HeatmapLandmarks("wflw98", network.to(context.device))


def _mtcnn_sha256() -> str:
    """Hash of the hashes of the three networks' files, one after the other."""
    spec = find_spec(PACKAGE)
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "data"
    hashes = "".join(sha256_of(folder / f"{part}.pt") for part in PARTS)
    return hashlib.sha256(hashes.encode()).hexdigest()


def _landmark_detector(context: BuildContext) -> tuple[nn.Module, str]:
    assert context.landmark_detector is not None
    return context.landmark_detector


def _detector_missing(context: BuildContext) -> list[str]:
    if context.landmark_detector is not None:
        return []
    return [
        "the landmark detector of rendered faces is missing; `python -m src.train stage=landmark_detector` makes it"
    ]


LANDMARK_NETWORKS = {
    "rendered68": LandmarkNetwork(
        "68 iBUG landmarks of this suite's detector of rendered faces",
        _detector_missing,
        lambda context: RenderedFaceLandmarks(_landmark_detector(context)[0].to(context.device)),
        lambda context: _landmark_detector(context)[1],
    ),
    "wflw98": LandmarkNetwork(
        "98 WFLW landmarks of AWing's FAN (Wang et al., ICCV 2019; facexlib), found at 256",
        lambda context: missing_weights(["landmarks_wflw"], context),
        _load_wflw98,
        lambda context: context.sha256("landmarks_wflw"),
    ),
    "mtcnn5": LandmarkNetwork(
        "5 landmarks of MTCNN (Zhang et al. 2016; pip package facenet-pytorch), found at 256",
        lambda context: [] if find_spec(PACKAGE) else [f"the package of MTCNN is missing: {INSTALL}"],
        lambda context: MtcnnLandmarks(MtcnnCascade(context.device)),
        lambda context: _mtcnn_sha256(),
    ),
}
"""Networks by the name that `landmarks` options take."""
