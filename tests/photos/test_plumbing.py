"""An unrestored face goes out of its photo and back without a trace (real photographs, real detector)."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from src.photos.background import LanczosBackground
from src.photos.compose import Composer
from src.photos.detector import PhotoDetector
from src.photos.face_batches import FaceBatches
from src.photos.open_photo import WholePhotoOpener
from src.photos.opened import OpenedPhoto
from src.photos.photo_file import Photo, read_photo
from src.photos.plan import PhotoFile
from src.photos.retinaface import build_retinaface
from src.photos.stream import RestorationStream
from src.restorers.identity import IdentityRestorer
from tests.photos.group_photo import detection

CPU = torch.device("cpu")
NAMES = ("whole_cf_00.jpg", "whole_cf_01.jpg", "whole_cf_04.jpg", "whole_gfpgan_Blake_Lively.jpg")


@pytest.fixture(scope="module")
def detector(shared: Path) -> PhotoDetector:
    """RetinaFace with its real weights, at the size of the published script."""
    settings = detection(short_side=640)
    weights = shared / "weights" / "retinaface" / "detection_mobilenet0.25_Final.pth"
    return PhotoDetector(build_retinaface("retinaface_mobilenet", weights, settings, CPU), settings)


class Marker(IdentityRestorer):
    """Returns one level everywhere, which shows where faces are pasted."""

    def __init__(self, level: float) -> None:
        super().__init__()
        self._level = level

    def restore(self, lq: torch.Tensor, keys: Sequence[int] = ()) -> torch.Tensor:
        return torch.full_like(lq, self._level)


def pasted(detector: PhotoDetector, photo: Photo, restorer: IdentityRestorer) -> np.ndarray:
    opener = WholePhotoOpener(detector, face_size=512, sampling="cubic", least_side=0, only_center=False)
    stream = RestorationStream(opener, FaceBatches(restorer, None, CPU), 8)
    file = PhotoFile(Path("a.png"), Path("out"), Path("a"))
    (opened,) = stream.restore([OpenedPhoto(file, photo, time=Fraction(0))])
    return Composer(LanczosBackground(), 1.0, 0.05, "keep").compose(opened).colour


@pytest.mark.parametrize("name", NAMES)
def test_the_photo_stays_as_it_is_and_the_landmarks_where_they_are(name, detector, shared):
    photo = read_photo(shared / "data" / "faces_lq_real" / name, 100.0)
    result = pasted(detector, photo, IdentityRestorer())
    white, black = pasted(detector, photo, Marker(1.0)), pasted(detector, photo, Marker(-1.0))
    inside = (white != black).any(axis=2)
    change = np.abs(result.astype(int) - photo.colour)
    assert inside.mean() > 0.01
    assert change[inside].mean() <= 2
    assert (change[~inside] == 0).all()
    before, after = detector.find([photo.colour, result])
    assert len(before) == len(after) >= 1
    # A face that the detector hardly finds (here one cut by the border, 0.86) jumps by pixels at the least change.
    for face in (face for face in before if face.score > 0.95):
        moved = min(np.linalg.norm(face.landmarks - other.landmarks, axis=1).max() for other in after)
        assert moved < 0.5
