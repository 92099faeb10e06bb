"""Between a video's colours and RGB: which matrix and range a video uses, stated when reading and when writing."""

from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace

UNSPECIFIED = 2
BT709 = 1
SMPTE170M = 6
"""Values of ITU-T H.273 in a video's header; the last is the matrix of BT.601."""
HIGH_DEFINITION = 720
"""Height from which on a video that does not say so is taken for BT.709, as players do."""
FULL_RANGE = 2


def matrix_of(colorspace: int, height: int) -> Colorspace:
    """The matrix that a video's header names, or the usual one of its height."""
    if colorspace == BT709 or (colorspace == UNSPECIFIED and height >= HIGH_DEFINITION):
        return Colorspace.ITU709
    if colorspace in (9, 10):
        return Colorspace.BT2020
    return Colorspace.ITU601


def range_of(color_range: int) -> ColorRange:
    """The range that a video's header names; limited without one."""
    return ColorRange.JPEG if color_range == FULL_RANGE else ColorRange.MPEG


def to_rgb(frame: VideoFrame) -> VideoFrame:
    """The frame in 8-bit RGB."""
    return frame.reformat(
        format="rgb24",
        src_colorspace=matrix_of(int(frame.colorspace), frame.height),
        src_color_range=range_of(int(frame.color_range)),
        dst_color_range=ColorRange.JPEG,
    )


def to_yuv(frame: VideoFrame, matrix: Colorspace) -> VideoFrame:
    """An RGB frame as 4:2:0 in limited range."""
    return frame.reformat(
        format="yuv420p", src_color_range=ColorRange.JPEG, dst_colorspace=matrix, dst_color_range=ColorRange.MPEG
    )
