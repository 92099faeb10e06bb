"""Faces of a record's gallery as data that a page can hold."""

import base64
import io
from pathlib import Path
from typing import Any

from PIL import Image

from src.checkpoints.plain_files import read_regular
from src.data.image_file import DECODE_ERRORS
from src.faces.open_picture import open_picture
from src.settings.errors import UserError
from src.tracking.records import GALLERY_RULES, GALLERY_VIEWS, StoredRecord

LARGEST_SIDE = 256
"""Pixels; a larger picture is made smaller."""
JPEG_QUALITY = 90


def gallery_of(stored: StoredRecord) -> dict[str, Any] | None:
    """Metric that the faces were chosen by, and for each rule the face's name, value and pictures; None without any.

    Raises:
        UserError: a picture cannot be read.
    """
    gallery = stored.record.gallery
    faces = gallery.get("faces") or {}
    found = {rule: _face(stored, rule, faces[rule]) for rule in GALLERY_RULES if rule in faces}
    shown = {rule: face for rule, face in found.items() if face["pictures"]}
    return {"metric": gallery.get("metric"), "faces": shown} if shown else None


def data_uri(path: Path) -> tuple[str, int]:
    """The picture as a JPEG in a `data:` URI, at most `LARGEST_SIDE` pixels a side, and its width.

    Raises:
        UserError: the file is no picture.
    """
    try:
        with open_picture(read_regular(path)) as opened:
            picture = opened.convert("RGB")
    except DECODE_ERRORS as error:
        raise UserError(f"{path}: not a readable picture ({error}); evaluate this run again") from None
    picture.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    # Chroma at full resolution: skin and lips are judged by their colour.
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}", picture.width


def _face(stored: StoredRecord, rule: str, face: dict) -> dict[str, Any]:
    paths = {view: stored.picture(rule, view) for view in GALLERY_VIEWS}
    pictures = {view: data_uri(path) for view, path in paths.items() if path is not None}
    return {
        "name": face.get("name"),
        "value": face.get("value"),
        "pictures": {view: uri for view, (uri, _) in pictures.items()},
        "width": max((width for _, width in pictures.values()), default=0),
    }
