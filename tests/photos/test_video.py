"""What a video is, when read and when written."""

import itertools
import json
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from src.photos.background import LanczosBackground
from src.photos.compose import Composer
from src.photos.face_batches import FaceBatches
from src.photos.open_photo import WholePhotoOpener
from src.photos.plan import plan_photos
from src.photos.restoration import Restoration
from src.photos.restore_video import VideoRestoration
from src.photos.stream import RestorationStream
from src.photos.video_reader import VideoReader
from src.photos.video_writer import VideoWriter
from src.restorers.identity import IdentityRestorer
from src.settings.restore import VideoSettings
from tests.photos.group_photo import GroupPhoto, knowing
from tests.photos.small_video import (
    HEIGHT,
    RATE,
    SOUND_RATE,
    WIDTH,
    add_sound,
    copy,
    encoded,
    make,
    picture,
    read,
    sound_of,
)


def test_frames_come_back_in_order_with_their_colours_and_times(tmp_path):
    source = make(tmp_path / "a.mp4")
    before, after = read(source), read(copy(source, tmp_path / "b.mp4"))
    assert [frame.time for frame in before] == [Fraction(number, RATE) for number in range(20)]
    assert [frame.time for frame in after] == [frame.time for frame in before]
    for number, (one, two) in enumerate(zip(before, after, strict=True)):
        assert np.abs(one.image.astype(int) - picture(number)).mean() < 2
        # The colour planes are halved once more on the way out.
        assert np.abs(two.image.astype(int) - picture(number)).mean() < 3


def test_high_definition_uses_its_own_matrix_both_ways(tmp_path):
    red = np.zeros((720, 64, 3), np.uint8)
    red[:] = (200, 40, 30)
    make(tmp_path / "like.mp4", frames=1)
    with VideoWriter(tmp_path / "a.mp4", like=tmp_path / "like.mp4", size=(64, 720), quality=0) as writer:
        writer.write(red, Fraction(0))
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].codec_context.colorspace == 1
        assert container.streams.video[0].codec_context.color_range == 1
    assert np.abs(read(tmp_path / "a.mp4")[0].image.astype(int) - red).max() <= 3


@pytest.mark.parametrize(
    ("suffix", "sound"), [("mp4", "aac"), ("mkv", "aac"), ("mov", "pcm_s16le"), ("avi", "pcm_s16le")]
)
def test_sound_is_kept(tmp_path, suffix, sound):
    source = make(tmp_path / f"a.{suffix}", sound=sound)
    copied = sound_of(copy(source, tmp_path / "b.mp4"))
    if sound == "aac":
        original = sound_of(source)
        assert [data for _, data in copied] == [data for _, data in original]
        # Matroska keeps times in milliseconds.
        assert all(abs(one[0] - two[0]) <= Fraction(1, 999) for one, two in zip(copied, original, strict=True))
    with av.open(str(tmp_path / "b.mp4")) as container:
        stream = container.streams.audio[0]
        assert stream.codec_context.name == "aac"
        assert abs(float(stream.duration * stream.time_base) - 2.0) <= 2 * 1024 / SOUND_RATE


@pytest.mark.parametrize(
    ("layout", "rate", "kept"),
    [("mono", 8000, 8000), ("5.1", 48000, 48000), ("stereo", 192000, 96000), ("mono", 11127, 11025)],
)
def test_sound_of_any_kind_becomes_aac(tmp_path, layout, rate, kept):
    source = make(tmp_path / "like.mp4", frames=2, sound=None)
    with av.open(str(tmp_path / "a.mov"), "w") as output, av.open(str(source)) as pictures:
        video = output.add_stream_from_template(pictures.streams.video[0], opaque=True)
        audio = output.add_stream("pcm_s16le", rate=rate, layout=layout)
        for packet in pictures.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                output.mux(packet)
        add_sound(output, audio, "pcm_s16le", 1.0)
    with av.open(str(copy(tmp_path / "a.mov", tmp_path / "b.mp4"))) as container:
        context = container.streams.audio[0].codec_context
        assert (context.name, context.layout.name, context.sample_rate) == ("aac", layout, kept)
        samples = sum(frame.samples for frame in container.decode(audio=0))
        assert kept <= samples <= kept + 1024


def test_uneven_times_stay_uneven(tmp_path):
    times = [0, 40, 100, 101, 500, 540, 900, 1300]
    source = make(tmp_path / "a.mp4", frames=8, times=times, sound=None)
    assert [round(frame.time * 1000) for frame in read(source)] == times
    copied = read(copy(source, tmp_path / "b.mp4"))
    assert [round(frame.time * 1000) for frame in copied] == times


@pytest.mark.parametrize("first", [15, 0, -4])
def test_any_beginning_is_exact(tmp_path, first):
    like = make(tmp_path / "like.avi", frames=2, sound=None)
    with av.open(str(like)) as container:
        tick = container.streams.video[0].time_base
    times = [tick * (first + number) for number in range(12)]
    with VideoWriter(tmp_path / "a.mp4", like=like, size=(WIDTH, HEIGHT), quality=0) as writer:
        for number, time in enumerate(times):
            writer.write(picture(number), time)
    frames = read(tmp_path / "a.mp4")
    # What would begin before zero begins there.
    assert [frame.time for frame in frames] == [time - min(times[0], 0) for time in times]
    assert (np.diff([frame.image.mean() for frame in frames]) > 4).all()


def test_an_avi_with_b_frames_is_shown_in_order(tmp_path):
    source = make(tmp_path / "a.avi", sound=None)
    for path in (source, copy(source, tmp_path / "b.mp4")):
        frames = read(path)
        assert (np.diff([frame.image.mean() for frame in frames]) > 4).all()
        assert [round(frame.time * 1000) for frame in frames] == [100 * number for number in range(20)]


def test_a_late_beginning_before_sound_is_kept(tmp_path):
    source = make(tmp_path / "a.mp4", times=[501 + 100 * number for number in range(20)])
    copied = copy(source, tmp_path / "b.mp4")
    assert [frame.time for frame in read(copied)] == [frame.time for frame in read(source)]
    assert read(copied)[0].time == Fraction(501, 1000)
    assert sound_of(copied) == sound_of(source)


def test_sound_that_lasts_longer_is_kept_whole(tmp_path):
    source = make(tmp_path / "a.mp4")
    frames = read(source)
    with VideoWriter(tmp_path / "b.mp4", like=source, size=(WIDTH, HEIGHT), quality=20) as writer:
        for frame in frames[:3]:
            writer.write(frame.image, frame.time)
    assert len(sound_of(tmp_path / "b.mp4")) == len(sound_of(source))


def _turn(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Patch the matrix in a track's header: (x, y) is shown at (a x + c y, b x + d y)."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    data[matrix : matrix + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


TURNS = [(0, s, t, 0) for s, t in itertools.product((1, -1), repeat=2)]
TURNS += [(s, 0, 0, t) for s, t in itertools.product((1, -1), repeat=2)]


@pytest.mark.parametrize("turn", TURNS)
def test_a_turned_or_mirrored_video_stands_upright(tmp_path, turn):
    shown = picture(0)
    shown[: HEIGHT // 3] += 60
    source = encoded(tmp_path / "a.mp4", "libx264", [shown], "yuv444p")
    _turn(source, *turn)
    a, b, c, d = turn
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    to_x, to_y = a * columns + c * rows, b * columns + d * rows
    to_x, to_y = to_x - to_x.min(), to_y - to_y.min()
    expected = np.zeros((to_y.max() + 1, to_x.max() + 1, 3), int)
    expected[to_y, to_x] = shown
    image = read(source)[0].image
    assert image.shape == expected.shape
    assert np.abs(image - expected).mean() < 2


def test_the_shape_of_pixels_is_kept(tmp_path):
    source = make(tmp_path / "a.mp4", frames=2, sound=None, aspect=2)
    for turn, expected in (((1, 0, 0, 1), Fraction(2)), ((0, 1, -1, 0), Fraction(1, 2))):
        _turn(source, *turn)
        for path in (source, copy(source, tmp_path / "b.mp4")):
            with VideoReader(path) as reader:
                assert reader.facts.pixel_aspect == expected


def _smooth(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [np.sin(columns / 9), np.sin(rows / 11), np.sin((rows + columns) / 13)]
    return np.round(128 + 100 * np.stack(waves, axis=-1)).astype(np.uint8)


@pytest.mark.parametrize(("colorspace", "color_range"), [(1, 1), (1, 2), (6, 1), (6, 2), (9, 1)])
def test_colours_are_those_of_the_header(tmp_path, colorspace, color_range):
    image = _smooth(96, 128)
    header = {"colorspace": colorspace, "color_range": color_range}
    source = encoded(tmp_path / "a.mp4", "libx264", [image], "yuv444p", **header, color_primaries=5)
    for path in (source, copy(source, tmp_path / "b.mp4")):
        difference = read(path)[0].image.astype(int) - image
        assert np.abs(difference).mean() < 1
        assert np.abs(difference.mean(axis=(0, 1))).max() < 0.3
    with av.open(str(tmp_path / "b.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_range) == (colorspace, 5, 1)


def test_odd_sides_are_padded(tmp_path):
    make(tmp_path / "a.mp4", frames=1)
    image = np.random.default_rng(0).integers(100, 140, (33, 47, 3), np.uint8)
    with VideoWriter(tmp_path / "b.mp4", like=tmp_path / "a.mp4", size=(47, 33), quality=0) as writer:
        writer.write(image, Fraction(0))
    assert read(tmp_path / "b.mp4")[0].image.shape == (34, 48, 3)


class Inverter(IdentityRestorer):
    def restore(self, lq: torch.Tensor, keys: Sequence[int] = ()) -> torch.Tensor:
        return -lq


class Everywhere:
    """Finds the face of a group photo in every frame."""

    name = "everywhere"
    weights: dict[str, str] = {}

    def __init__(self, photo: GroupPhoto) -> None:
        self._faces = photo.faces

    def detect(self, pictures) -> list:
        return [self._faces for _ in pictures]


def test_a_video_is_restored_frame_by_frame(tmp_path):
    photo = GroupPhoto.of([(180, 90)])
    (tmp_path / "in").mkdir()
    with av.open(str(tmp_path / "in" / "clip.mov"), "w") as output:
        video = output.add_stream("libx264", rate=RATE, options={"crf": "4"})
        video.width, video.height, video.pix_fmt = 500, 300, "yuv420p"
        for number in range(7):
            shown = np.clip(photo.picture.astype(int) + 6 * number - 20, 0, 255).astype(np.uint8)
            output.mux(video.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
        output.mux(video.encode())
    (file,) = plan_photos(str(tmp_path / "in"), str(tmp_path / "out"), overwrite=False)
    detector = knowing([photo])
    detector._detector = Everywhere(photo)
    opener = WholePhotoOpener(detector, face_size=128, sampling="cubic", least_side=0, only_center=False)
    stream = RestorationStream(opener, FaceBatches(Inverter(), None, torch.device("cpu")), 3)
    restoration = Restoration(stream, Composer(LanczosBackground(), 1.0, 0.05, "keep"), 2, 100.0)
    outcome = VideoRestoration(restoration, VideoSettings(quality=8, save_faces=True), progress=False).restore(file)
    assert (outcome.problem, outcome.frames, outcome.faces) == (None, 7, 7)
    before, after = read(file.source), read(file.result)
    assert [frame.time for frame in after] == [frame.time for frame in before]
    x, y = photo.faces[0].landmarks[2].round().astype(int)
    for one, two in zip(before, after, strict=True):
        around = np.s_[y - 4 : y + 5, x - 4 : x + 5]
        assert np.abs(two.image[around].astype(int) - (255 - one.image[around])).mean() < 15
        assert np.abs(two.image[:, :100].astype(int) - one.image[:, :100]).mean() < 3
    report = json.loads(file.report.read_text())
    assert [frame["time"] for frame in report["frames"]] == [round(float(frame.time), 6) for frame in before]
    assert all(len(frame["faces"]) == 1 for frame in report["frames"])
    assert len(list(file.face("000000_00").parent.glob("clip_*.png"))) == 7
    assert file.comparison.exists()
