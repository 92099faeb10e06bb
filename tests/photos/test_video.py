"""Small videos whose frames tell their number by their brightness."""

import json
import struct
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
from src.settings.errors import UserError
from src.settings.restore import VideoSettings
from tests.photos.group_photo import GroupPhoto, knowing

RATE = 10
SOUND_RATE = 44100
WIDTH, HEIGHT = 64, 48


def brightness(number: int) -> int:
    return 40 + 8 * number


def picture(number: int) -> np.ndarray:
    """A level that tells the number, with a red left and a blue right half."""
    image = np.full((HEIGHT, WIDTH, 3), brightness(number), np.uint8)
    image[:, : WIDTH // 2, 0] += 30
    image[:, WIDTH // 2 :, 2] += 30
    return image


def make(path: Path, *, frames: int = 20, sound: str | None = "aac", times: list[int] | None = None) -> Path:
    """A lossless H.264 video with B-frames; `times` in milliseconds."""
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=RATE, options={"crf": "0", "bf": "2"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv444p"
        video.codec_context.time_base = Fraction(1, 1000)
        audio = output.add_stream(sound, rate=SOUND_RATE) if sound else None
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.time_base = Fraction(1, 1000)
            frame.pts = times[number] if times else number * 1000 // RATE
            output.mux(video.encode(frame))
        output.mux(video.encode())
        if audio is not None:
            _add_sound(output, audio, sound, frames / RATE)
    return path


def _add_sound(output, audio, codec: str, seconds: float) -> None:
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(SOUND_RATE * seconds)) / SOUND_RATE)
    planar = wave.astype(np.float32)[None] if codec == "aac" else (wave * 32767).astype(np.int16)[None]
    frame = av.AudioFrame.from_ndarray(planar, format="fltp" if codec == "aac" else "s16", layout="mono")
    frame.sample_rate, frame.pts = SOUND_RATE, 0
    output.mux(audio.encode(frame))
    output.mux(audio.encode())


def read(path: Path) -> list:
    with VideoReader(path) as reader:
        return list(reader)


def copy(source: Path, target: Path, quality: int = 0) -> Path:
    frames = read(source)
    height, width = frames[0].image.shape[:2]
    with VideoWriter(target, like=source, size=(width, height), quality=quality) as writer:
        for frame in frames:
            writer.write(frame.image, frame.time)
    return target


def sound_of(path: Path) -> list[tuple[Fraction, bytes]]:
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(container.streams.audio) if packet.dts is not None]
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in packets]


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


def test_uneven_times_stay_uneven(tmp_path):
    times = [0, 40, 100, 101, 500, 540, 900, 1300]
    source = make(tmp_path / "a.mp4", frames=8, times=times, sound=None)
    assert [round(frame.time * 1000) for frame in read(source)] == times
    copied = read(copy(source, tmp_path / "b.mp4"))
    assert [round(frame.time * 1000) for frame in copied] == times


def test_sound_that_lasts_longer_is_kept_whole(tmp_path):
    source = make(tmp_path / "a.mp4")
    frames = read(source)
    with VideoWriter(tmp_path / "b.mp4", like=source, size=(WIDTH, HEIGHT), quality=20) as writer:
        for frame in frames[:3]:
            writer.write(frame.image, frame.time)
    assert len(sound_of(tmp_path / "b.mp4")) == len(sound_of(source))


def test_a_turned_video_stands_upright(tmp_path):
    data = bytearray(make(tmp_path / "a.mp4", frames=2, sound=None).read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    quarter = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, HEIGHT << 16, 0, 1 << 30)
    data[matrix : matrix + 36] = quarter
    (tmp_path / "a.mp4").write_bytes(data)
    image = read(tmp_path / "a.mp4")[0].image
    assert image.shape == (WIDTH, HEIGHT, 3)
    # The red left half of a picture that is turned clockwise lies above.
    assert image[10, 24, 0] > image[10, 24, 2]
    assert image[50, 24, 0] < image[50, 24, 2]


def test_odd_sides_are_padded(tmp_path):
    make(tmp_path / "a.mp4", frames=1)
    image = np.random.default_rng(0).integers(100, 140, (33, 47, 3), np.uint8)
    with VideoWriter(tmp_path / "b.mp4", like=tmp_path / "a.mp4", size=(47, 33), quality=0) as writer:
        writer.write(image, Fraction(0))
    assert read(tmp_path / "b.mp4")[0].image.shape == (34, 48, 3)


def test_what_is_no_video_is_told(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    with av.open(str(tmp_path / "sound.m4a"), "w") as output:
        _add_sound(output, output.add_stream("aac", rate=SOUND_RATE), "aac", 0.5)
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


class Inverter(IdentityRestorer):
    def restore(self, lq: torch.Tensor) -> torch.Tensor:
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
