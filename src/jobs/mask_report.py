"""What a latent mask selects: its area, what part of the face it lies on, and a picture of it (clr_face.md 6)."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from src.data.image_file import write_png
from src.data.levels import to_levels
from src.faces.grid import image_grid
from src.guidance.mask_overlap import component_overlap, component_planes
from src.networks.latent_mask import LatentMask

MOMENTS = (0.1, 0.4, 0.7)
"""Parts of the noising process at which a mask is looked at: guidance acts from 0.05 to 0.7 by default."""
SHOWN_FACES = 3
MOST_CHANNELS = 8
"""Channels that have a picture and a number of their own."""
_SMALLEST = 128
"""Pixels of a picture's side, at least."""
_TINT = 0.5
"""Weight of the mask's colour over the face."""
_INK = (40, 40, 40)

Masks = Float[Tensor, "t b c h w"]
"""By part of the process, face and channel."""
Picture = UInt8[np.ndarray, "_ _ 3"]


@dataclass(frozen=True)
class MaskReport:
    """What there is to say of a mask."""

    diagnostics: dict[str, float]
    """Means over faces and `MOMENTS` (`DIAGNOSTICS` of src.leaderboard.diagnostics)."""
    sheet: UInt8[np.ndarray, "height width 3"]
    """A row a face and moment, a column a channel, their mean, that over the face if it is known, and the scale; one row of a
    mask that is the same for all."""


@torch.inference_mode()
def mask_report(
    mask_network: LatentMask,
    conditions: Float[Tensor, "b c h w"],
    parts: UInt8[np.ndarray, "b h_face w_face"] | None,
    faces: Float[Tensor, "b 3 h_face w_face"] | None = None,
) -> MaskReport:
    """The masks of these faces at `MOMENTS`.

    Args:
        conditions: normalised latents of the degraded faces.
        parts: values of `src.faces.parts.Part` of the same faces; None where they are not known.
        faces: in [-1, 1], to lay the first masks over.
    """
    moments = [torch.full((len(conditions),), moment, device=conditions.device) for moment in MOMENTS]
    soft, hard = (
        torch.stack([mask(conditions, moment) for moment in moments]).float().cpu()
        for mask in (mask_network.soft, mask_network.hard)
    )
    shown = None if faces is None else to_levels(faces[:SHOWN_FACES]).permute(0, 2, 3, 1).cpu().numpy()
    return MaskReport(_areas(soft, hard) | _overlaps(hard, parts), _sheet(soft[:, :SHOWN_FACES], _is_one(soft), shown))


def write_mask_sheet(path: Path, report: MaskReport) -> None:
    """Write the picture as PNG."""
    write_png(path, report.sheet)


def _areas(soft: Masks, hard: Masks) -> dict[str, float]:
    channels = soft.mean((0, 1, 3, 4)).tolist()
    by_channel = {f"mask_area_channel_{place}": value for place, value in enumerate(channels, start=1)}
    # Over faces and moments; a mask that is the same for all has none.
    variation = soft.flatten(0, 1).std(0, correction=0).mean()
    whole = {
        "mask_area": float(soft.mean()),
        "mask_area_hard": float(hard.mean()),
        "mask_variation": float(variation),
    }
    return whole | (by_channel if len(channels) <= MOST_CHANNELS else {})


def _overlaps(hard: Masks, parts: UInt8[np.ndarray, "b h_face w_face"] | None) -> dict[str, float]:
    """Without components that no face shows."""
    if parts is None:
        return {}
    planes = component_planes(torch.from_numpy(parts.astype(np.int64)))
    moments = [component_overlap(mask, planes) for mask in hard]
    means = {name: float(torch.stack([moment[name] for moment in moments]).nanmean()) for name in planes}
    return {f"mask_iou_{name}": value for name, value in means.items() if not np.isnan(value)}


def _is_one(soft: Masks) -> bool:
    """Whether the mask is the same for every face at every moment."""
    return bool((soft == soft[:1, :1]).all())


def _sheet(soft: Masks, is_one: bool, faces: UInt8[np.ndarray, "b h_face w_face 3"] | None) -> Picture:
    if is_one:
        soft = soft[:1, :1]
    rows, labels = [], []
    for face in range(soft.shape[1]):
        for place in range(soft.shape[0]):
            rows.append(_row(soft[place, face].numpy(), None if faces is None else faces[face]))
            labels.append("any face, any t" if is_one else f"face {face + 1}, t = {MOMENTS[place]:g}")
    rows[0].append(_scale(rows[0][0].shape[0]))
    channels = [f"channel {number + 1}" for number in range(min(soft.shape[2], MOST_CHANNELS))]
    columns = [*channels, "mean", *(["over the face"] if faces is not None else []), "m"]
    return image_grid(rows, columns, labels)


def _row(mask: Float[np.ndarray, "c h w"], face: UInt8[np.ndarray, "h_face w_face 3"] | None) -> list[Picture]:
    mean = _coloured(mask.mean(0))
    pictures = [*(_coloured(channel) for channel in mask[:MOST_CHANNELS]), mean]
    if face is not None:
        below = cv2.resize(face, mean.shape[1::-1], interpolation=cv2.INTER_AREA)
        pictures.append(np.rint((1 - _TINT) * below + _TINT * mean).astype(np.uint8))
    return pictures


def _coloured(values: Float[np.ndarray, "h w"]) -> Picture:
    """Values in [0, 1] in viridis, each a square of whole pixels."""
    side = -(-_SMALLEST // min(values.shape))
    levels = np.rint(255 * values.clip(0, 1)).astype(np.uint8)
    coloured = cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)[..., ::-1]
    return np.ascontiguousarray(coloured.repeat(side, 0).repeat(side, 1))


def _scale(side: int) -> Picture:
    """A bar of all values with 0, 0.5 and 1 beside it."""
    picture = np.full((side, side, 3), 255, np.uint8)
    bar = _coloured(np.linspace(1, 0, side)[:, None].repeat(side // 4, 1))
    picture[:, : side // 4] = cv2.resize(bar, (side // 4, side), interpolation=cv2.INTER_AREA)
    for value, bottom in (("1", 0.1), ("0.5", 0.54), ("0", 0.98)):
        at = (side // 4 + 6, round(bottom * side))
        cv2.putText(picture, value, at, cv2.FONT_HERSHEY_SIMPLEX, side / 300, _INK, 1, cv2.LINE_AA)
    return picture
