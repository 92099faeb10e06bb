"""Files that are no videos, or only parts of them."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from src.photos.video_reader import VideoReader
from src.photos.video_writer import VideoWriter
from src.settings.errors import UserError
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


def test_what_is_no_video_is_told(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    with av.open(str(tmp_path / "sound.m4a"), "w") as output:
        add_sound(output, output.add_stream("aac", rate=SOUND_RATE), "aac", 0.5)
    (tmp_path / "sound.m4a").rename(tmp_path / "sound.mp4")
    for name, message in (
        ("text.mp4", "is not a video"),
        ("sound.mp4", "no pictures"),
        ("absent.mp4", "is not a video"),
    ):
        with pytest.raises(UserError, match=rf"{name}: .*{message}"):
            VideoReader(tmp_path / name)


def test_a_cut_video_gives_its_frames_and_then_an_error(tmp_path):
    source = make(tmp_path / "a.mkv", sound=None, times=[500 * number for number in range(20)])
    source.write_bytes(source.read_bytes()[: source.stat().st_size * 3 // 4])
    frames = []
    with VideoReader(source) as reader:
        iterator = iter(reader)
        with pytest.raises(UserError, match=r"a\.mkv: breaks off after frame \d+"):
            frames.extend(iterator)
    assert 3 < len(frames) < 20
    # An mp4 without its end has lost its index.
    source = make(tmp_path / "a.mp4", sound=None)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 4])
    with pytest.raises(UserError, match=r"a\.mp4: is not a video that can be read"):
        VideoReader(source)


def test_whole_videos_do_not_count_as_cut(tmp_path):
    slow = make(tmp_path / "slow.mp4", frames=5, sound=None, times=[1000 * number for number in range(5)])
    long = make(tmp_path / "long.mkv", frames=5, seconds=3.0)
    late = make(tmp_path / "late.mkv", frames=5, times=[1500 + 100 * number for number in range(5)])
    assert [len(read(path)) for path in (slow, long, late)] == [5, 5, 5]


def _written(reader: VideoReader, writer: VideoWriter) -> Iterator[Fraction]:
    for frame in reader:
        writer.write(frame.image, frame.time)
        yield frame.time


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
def test_a_cut_video_with_sound_is_written_as_far_as_it_goes(tmp_path, suffix):
    source = make(tmp_path / f"a.{suffix}", frames=26, options={"movflags": "faststart"} if suffix == "mp4" else None)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    times = []
    with (
        VideoReader(source) as reader,
        VideoWriter(tmp_path / "b.mp4", like=source, size=(WIDTH, HEIGHT), quality=0) as writer,
        pytest.raises(UserError, match=r"breaks off after frame \d+ \(at [\d.]+ of 2\.[\d]+ s\)"),
    ):
        times.extend(_written(reader, writer))
    assert 3 < len(times) < 24
    assert [frame.time for frame in read(tmp_path / "b.mp4")] == times
    assert sound_of(tmp_path / "b.mp4")


def test_a_frame_that_cannot_be_decoded_ends_the_video(tmp_path):
    pictures = [picture(number) for number in range(8)]
    source = encoded(tmp_path / "a.mov", "png", pictures, "rgb24")
    data = source.read_bytes()
    starts = [place for place in range(len(data)) if data.startswith(b"\x89PNG", place)]
    source.write_bytes(data[: starts[5]] + bytes(8) + data[starts[5] + 8 :])
    frames = []
    with VideoReader(source) as reader, pytest.raises(UserError, match=r"after frame 5 \(Invalid data"):
        frames.extend(reader)
    source.write_bytes(data[: starts[0]] + bytes(8) + data[starts[0] + 8 :])
    with pytest.raises(UserError, match=r"a\.mov: holds no frame"):
        VideoReader(source)


def test_a_change_of_size_on_the_way_is_evened_out(tmp_path):
    large = np.repeat(np.repeat(picture(1), 2, axis=0), 2, axis=1)
    encoded(tmp_path / "large.mov", "png", [large], "rgb24")
    with av.open(str(tmp_path / "large.mov")) as container:
        data = next(bytes(packet) for packet in container.demux(video=0))
    with av.open(str(tmp_path / "a.mov"), "w") as output:
        video = output.add_stream("png", rate=RATE)
        video.height, video.width, video.pix_fmt = HEIGHT, WIDTH, "rgb24"
        output.mux(video.encode(av.VideoFrame.from_ndarray(picture(0), format="rgb24")))
        packet = av.Packet(data)
        packet.stream, packet.pts, packet.dts, packet.time_base = video, 1, 1, Fraction(1, RATE)
        output.mux(packet)
    first, second = read(tmp_path / "a.mov")
    assert first.image.shape == second.image.shape
    assert np.abs(second.image.astype(int) - picture(1)).mean() < 2


def test_the_cover_of_music_is_no_video(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as output:
        audio = output.add_stream("aac", rate=SOUND_RATE)
        cover = output.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = WIDTH, HEIGHT, "rgb24"
        cover.disposition = Disposition.attached_pic
        output.mux(cover.encode(av.VideoFrame.from_ndarray(picture(0), format="rgb24")))
        add_sound(output, audio, "aac", 0.5)
    with pytest.raises(UserError, match="no pictures"):
        VideoReader(tmp_path / "a.mp4")


def test_a_colon_in_a_name_is_no_protocol(tmp_path, monkeypatch):
    make(tmp_path / "take:1.mp4", frames=2)
    monkeypatch.chdir(tmp_path)
    copy(Path("take:1.mp4"), Path("copy:1.mp4"))
    assert len(read(Path("copy:1.mp4"))) == 2


def _broken_off(path: Path, source: Path) -> None:
    with VideoWriter(path, like=source, size=(WIDTH, HEIGHT), quality=9) as writer:
        writer.write(picture(0), Fraction(0))
        raise ZeroDivisionError


def test_an_error_on_the_way_leaves_nothing(tmp_path):
    source = make(tmp_path / "a.mp4")
    with pytest.raises(ZeroDivisionError):
        _broken_off(tmp_path / "b.mp4", source)
    assert {path.name for path in tmp_path.iterdir()} == {"a.mp4"}
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"b\.mp4: the video cannot be written"):
        VideoWriter(tmp_path / "file" / "b.mp4", like=source, size=(64, 48), quality=9).__enter__()
