"""Between a video's colours and RGB: which matrix and range a video uses, stated when reading and when writing."""

from fractions import Fraction

import numpy as np
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from jaxtyping import UInt8

NOT_SAID = (0, 2, 3)
BT709 = 1
SMPTE170M = 6
BT2020 = 9
"""Values of ITU-T H.273 in a video's header; SMPTE 170M is BT.601 as most use it."""
MATRICES = {
    BT709: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    SMPTE170M: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    BT2020: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
FILTER_NAMES = {
    Colorspace.ITU709: "bt709",
    Colorspace.FCC: "fcc",
    Colorspace.ITU601: "smpte170m",
    Colorspace.SMPTE240M: "smpte240m",
    Colorspace.BT2020: "bt2020",
}
HIGH_DEFINITION = 720
"""Height from which on a video that does not say so is taken for BT.709, as players do."""
LIMITED_RANGE, FULL_RANGE = 1, 2
# The default rounds down, which darkens a picture by a level or two, and repeats colours instead of interpolating them.
EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


def matrix_of(colorspace: int, height: int) -> Colorspace:
    """The matrix that a video's header names, or the usual one of its height."""
    return MATRICES.get(colorspace, Colorspace.ITU709 if height >= HIGH_DEFINITION else Colorspace.ITU601)


def header_of(matrix: Colorspace, primaries: int, transfer: int) -> tuple[int, int, int, int]:
    """Matrix, primaries, transfer and range for the header of a video that `YuvConverter` makes.

    Primaries and transfer stay as the source's header has them, since RGB is not changed; if it does not say, those of
    the standard that the matrix is from.
    """
    tag = SMPTE170M if matrix == Colorspace.ITU601 else int(matrix)
    usual_transfer = BT709 if tag == BT2020 else tag
    return (
        tag,
        tag if primaries in NOT_SAID else primaries,
        usual_transfer if transfer in NOT_SAID else transfer,
        LIMITED_RANGE,
    )


def range_of(color_range: int) -> ColorRange:
    """The range that a video's header names; limited without one."""
    return ColorRange.JPEG if color_range == FULL_RANGE else ColorRange.MPEG


def to_rgb(frame: VideoFrame, width: int, height: int) -> UInt8[np.ndarray, "h w 3"]:
    """The frame in 8-bit RGB, at the given size."""
    return frame.reformat(
        width,
        height,
        format="rgb24",
        src_colorspace=matrix_of(int(frame.colorspace), frame.height),
        src_color_range=range_of(int(frame.color_range)),
        dst_color_range=ColorRange.JPEG,
        interpolation=EXACT,
    ).to_ndarray()


class YuvConverter:
    """Makes 4:2:0 frames in limited range of RGB pictures of one size."""

    def __init__(self, width: int, height: int, matrix: Colorspace, time_base: Fraction) -> None:
        self._time_base = time_base
        self._graph = Graph()
        source = self._graph.add_buffer(width=width, height=height, format=VideoFormat("rgb24"), time_base=time_base)
        # H.264 has colour samples below the left one of two pixels; reformat() would put them between the two.
        place = "out_h_chr_pos=0:out_v_chr_pos=128"
        flags = "flags=bilinear+accurate_rnd+full_chroma_int"
        scale = self._graph.add("scale", f"out_color_matrix={FILTER_NAMES[matrix]}:out_range=tv:{place}:{flags}")
        pixels, sink = self._graph.add("format", "yuv420p"), self._graph.add("buffersink")
        self._graph.link_nodes(source, scale, pixels, sink).configure()

    def convert(self, image: UInt8[np.ndarray, "h w 3"], ticks: int) -> VideoFrame:
        """The frame that is shown at `ticks` units of the time base."""
        frame = VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = ticks, self._time_base
        self._graph.push(frame)
        converted = self._graph.pull()
        assert isinstance(converted, VideoFrame)
        # Filters do not keep the unit.
        converted.pts, converted.time_base = ticks, self._time_base
        return converted
