"""The whole photo with its restored faces."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from src.photos.background import Background
from src.photos.colour import recoloured
from src.photos.opened import FaceCrop, OpenedPhoto
from src.photos.paste import Patch, paste, soft_square
from src.photos.photo_file import Photo
from src.photos.warp import enlarged, inverted


@dataclass(frozen=True)
class Composer:
    """Enlarges a photo by `upscale` and pastes its faces."""

    background: Background
    upscale: float
    feather: float
    colour: str
    """Mode of `recoloured`."""

    def compose(self, opened: OpenedPhoto) -> Photo:
        """The result; the restored faces in `opened` take their final colours."""
        assert opened.photo is not None
        for face in opened.faces:
            assert face.restored is not None
            face.restored = recoloured(face.restored, face.crop, grey=opened.grey, mode=self.colour)
            if face.to_crop is None:
                return Photo(face.restored, None, opened.photo.profile)
        return self._pasted(opened.photo, opened.faces)

    def _pasted(self, photo: Photo, faces: list[FaceCrop]) -> Photo:
        height, width = photo.colour.shape[:2]
        size = max(1, round(width * self.upscale)), max(1, round(height * self.upscale))
        colour = self.background.enlarge(photo.colour, *size)
        colour = colour.copy() if colour is photo.colour else colour
        # Best last, where two faces cover each other.
        paste(colour, [self._patch(face, size[0] / width, size[1] / height) for face in reversed(faces)])
        alpha = photo.alpha
        if alpha is not None and size != (width, height):
            alpha = cv2.resize(alpha, size, interpolation=cv2.INTER_LINEAR)
        return replace(photo, colour=colour, alpha=alpha)

    def _patch(self, face: FaceCrop, scale_x: float, scale_y: float) -> Patch:
        assert face.restored is not None
        assert face.to_crop is not None
        square = soft_square(face.crop.shape[0], self.feather)
        mask = square if face.mask is None else np.minimum(square, face.mask)
        return Patch(face.restored, mask, inverted(enlarged(inverted(face.to_crop), scale_x, scale_y)))
