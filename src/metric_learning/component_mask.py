"""Where the components are by which a face is recognised: brows, eyes, glasses, nose, lips and mouth (sheet, section 6).

The sheet is codeformer_plus_plus.md. Masks are "b 1 h w" in [0, 1]; those of the first three functions are 0 or 1, and
`softened` widens and feathers them.
"""

import math

import torch
from jaxtyping import Float, Integer
from torch import Tensor
from torch.nn.functional import pad

from src.degradation.canvas import device_tensor, to_device
from src.faces.parts import Part
from src.faces.template import FFHQ_TEMPLATE, TEMPLATE_SIDE
from src.losses.image_similarity import gaussian_blur
from src.metric_learning.face_scale import at_width

Mask = Float[Tensor, "b 1 h w"]

RENDERED_COMPONENTS = (Part.BROW, Part.EYE, Part.GLASSES, Part.NOSE, Part.LIP, Part.MOUTH)
CELEBAMASK_CLASSES = (
    *("background", "skin", "nose", "glasses", "left_eye", "right_eye", "left_brow", "right_brow", "left_ear"),
    *("right_ear", "mouth", "upper_lip", "lower_lip", "hair", "hat", "earring", "necklace", "neck", "clothes"),
)
"""The 19 classes of CelebAMask-HQ in the order of its authors (arXiv 1907.11922), which ParseNet keeps; BiSeNet's differs."""
PARSED_COMPONENTS = (
    *("nose", "glasses", "left_eye", "right_eye", "left_brow", "right_brow"),
    *("mouth", "upper_lip", "lower_lip"),
)
ELLIPSES = {"eye": (0.55, 0.35), "nose": (0.5, 0.6), "mouth": (0.9, 0.5)}
"""Whole axes along and across the line of the eyes, in distances between the eyes."""


def landmark_mask(landmarks: Float[Tensor, "b k 2"], height: int, width: int) -> Mask:
    """Ellipses around the eyes, the nose's tip and the middle of the mouth's corners, turned with the line of the eyes.

    `landmarks` (x, y): five (eyes, nose, mouth's corners) or the 68 of iBUG; pixel i covers [i, i + 1]. A face with a
    landmark that is not finite gets the mask of the FFHQ template.

    Raises:
        ValueError: another number of landmarks.
    """
    points = _located(five_landmarks(landmarks.float()), height, width)
    eyes = points[:, 1] - points[:, 0]
    distance = eyes.norm(dim=1)[:, None, None]
    along = (eyes / eyes.norm(dim=1, keepdim=True))[:, :, None, None]
    y = torch.arange(height, device=points.device) + 0.5
    x = torch.arange(width, device=points.device) + 0.5
    inside = torch.zeros(len(points), height, width, dtype=torch.bool, device=points.device)
    middles = [*points[:, :3].unbind(1), points[:, 3:].mean(1)]
    for middle, name in zip(middles, ("eye", "eye", "nose", "mouth"), strict=True):
        from_x, from_y = x - middle[:, :1, None], (y - middle[:, 1:]).unsqueeze(2)
        u, v = from_x * along[:, 0] + from_y * along[:, 1], from_y * along[:, 0] - from_x * along[:, 1]
        a, b = ELLIPSES[name]
        inside |= (u / (a / 2 * distance)) ** 2 + (v / (b / 2 * distance)) ** 2 <= 1
    return inside[:, None].float()


def five_landmarks(landmarks: Float[Tensor, "b k 2"]) -> Float[Tensor, "b 5 2"]:
    """Left eye, right eye, nose's tip and the mouth's corners, in image order, of these five or of iBUG's 68.

    Raises:
        ValueError: another number of landmarks.
    """
    if landmarks.shape[1] == 5:
        return landmarks
    if landmarks.shape[1] != 68:
        raise ValueError(f"{landmarks.shape[1]} landmarks a face, expected 5 or 68")
    eyes = [landmarks[:, 36:42].mean(1), landmarks[:, 42:48].mean(1)]
    return torch.stack([*eyes, landmarks[:, 30], landmarks[:, 48], landmarks[:, 54]], dim=1)


def part_mask(parts: Integer[Tensor, "b h w"]) -> Mask:
    """The components of rendered faces; `parts` are values of `src.faces.parts.Part`."""
    return _is_one_of(parts, [int(part) for part in RENDERED_COMPONENTS])


def parsed_mask(classes: Integer[Tensor, "b h w"]) -> Mask:
    """The components of parsed faces; `classes` number `CELEBAMASK_CLASSES`."""
    return _is_one_of(classes, [CELEBAMASK_CLASSES.index(name) for name in PARSED_COMPONENTS])


def softened(mask: Mask, dilation: int | float, feather: int | float) -> Mask:
    """Widened by a disc, then blurred with a Gaussian; radius and deviation in pixels of a face of 512."""
    width = mask.shape[-1]
    return gaussian_blur(dilated(mask, at_width(dilation, width)), at_width(feather, width)).clamp(0, 1)


def dilated(mask: Mask, radius: int | float) -> Mask:
    """Greatest value around each pixel, times clamp(1 + radius - distance, 0, 1): a disc whose edge fades over a pixel.

    The fade lets a small face be widened by less than a pixel; a whole radius is reached in full along rows and columns.
    """
    reach = math.ceil(radius)
    height, width = mask.shape[-2:]
    around = pad(mask, (reach,) * 4)
    widest = mask
    for row in range(-reach, reach + 1):
        for column in range(-reach, reach + 1):
            weight = min(1.0, 1 + radius - math.hypot(row, column))
            if weight > 0:
                shifted = around[..., reach + row : reach + row + height, reach + column : reach + column + width]
                widest = torch.maximum(widest, weight * shifted)
    return widest


def _located(points: Float[Tensor, "b 5 2"], height: int, width: int) -> Float[Tensor, "b 5 2"]:
    template = torch.tensor(FFHQ_TEMPLATE) * torch.tensor([width, height]) / TEMPLATE_SIDE
    is_found = points.isfinite().flatten(1).all(1)
    return points.where(is_found[:, None, None], to_device(template.to(points.dtype), points.device))


def _is_one_of(values: Integer[Tensor, "b h w"], wanted: list[int]) -> Mask:
    return torch.isin(values, device_tensor(wanted, values.device, values.dtype))[:, None].float()
