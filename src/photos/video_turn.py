"""How a video's frames are turned for showing (ISO/IEC 14496-12, the matrix of a track)."""

from typing import Any

import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from jaxtyping import Int, UInt8

Matrix = Int[np.ndarray, "3 3"]
UPRIGHT = np.eye(3, dtype=np.int32)


def turn_of(frame: VideoFrame) -> Matrix:
    """The display matrix: a point (x, y, 1) of the frame, times it, is the point that is shown."""
    side_data: Any = frame.side_data
    for number in range(len(side_data)):
        if side_data[number].type == Type.DISPLAYMATRIX:
            return np.frombuffer(bytes(side_data[number]), np.int32).reshape(3, 3)
    return UPRIGHT


def is_sideways(turn: Matrix) -> bool:
    """True where width and height change places."""
    straight, across = np.abs(turn[[0, 1], [0, 1]].astype(float)), np.abs(turn[[0, 1], [1, 0]].astype(float))
    return bool(across.sum() > straight.sum())


def turned(image: UInt8[np.ndarray, "h w 3"], turn: Matrix) -> UInt8[np.ndarray, "_ _ 3"]:
    """The picture as it is shown: quarter turns and mirrors; other angles are taken to the next of these."""
    to_x, to_y = turn[0, 0], turn[1, 1]
    if is_sideways(turn):
        image = image.transpose(1, 0, 2)
        to_x, to_y = turn[1, 0], turn[0, 1]
    if to_x < 0:
        image = image[:, ::-1]
    if to_y < 0:
        image = image[::-1]
    return np.ascontiguousarray(image)
