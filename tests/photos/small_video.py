"""Small videos whose frames tell their number by their brightness."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from src.photos.video_reader import VideoReader
from src.photos.video_writer import VideoWriter

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


def make(
    path: Path,
    *,
    frames: int = 20,
    sound: str | None = "aac",
    times: list[int] | None = None,
    seconds: float | None = None,
    aspect: int = 1,
    options: dict[str, str] | None = None,
) -> Path:
    """A lossless H.264 video with B-frames; `times` in milliseconds, `seconds` of sound."""
    with av.open(str(path), "w", options=options or {}) as output:
        video = output.add_stream("libx264", rate=RATE, options={"crf": "0", "bf": "2"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv444p"
        video.codec_context.sample_aspect_ratio = Fraction(aspect)
        video.codec_context.time_base = Fraction(1, 1000)
        audio = output.add_stream(sound, rate=SOUND_RATE) if sound else None
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.time_base = Fraction(1, 1000)
            frame.pts = times[number] if times else number * 1000 // RATE
            output.mux(video.encode(frame))
        output.mux(video.encode())
        if audio is not None:
            add_sound(output, audio, sound, seconds or frames / RATE)
    return path


def _planes(image: np.ndarray, colorspace: int, color_range: int) -> np.ndarray:
    """Luma and colour differences by the formulas of BT.601, BT.709 and BT.2020."""
    red, blue = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}[colorspace]
    luma = image @ (red, 1 - red - blue, blue)
    differences = (image[..., 2] - luma) / (2 - 2 * blue), (image[..., 0] - luma) / (2 - 2 * red)
    base, luma_part, colour_part = (0, 1, 1) if color_range == 2 else (16, 219 / 255, 224 / 255)
    planes = [base + luma_part * luma, *(128 + colour_part * part for part in differences)]
    return np.round(np.stack(planes)).clip(0, 255).astype(np.uint8)


def encoded(path: Path, codec: str, pictures: list[np.ndarray], pixels: str, **header: int) -> Path:
    """A video of other pictures, whose header says what is given."""
    with av.open(str(path), "w") as output:
        video = output.add_stream(codec, rate=RATE, options={"crf": "0"} if codec == "libx264" else {})
        video.height, video.width, video.pix_fmt = *pictures[0].shape[:2], pixels
        for name, value in header.items():
            setattr(video.codec_context, name, value)
        for image in pictures:
            if pixels == "yuv444p":
                planes = _planes(image, header.get("colorspace", 6), header.get("color_range", 1))
                frame = av.VideoFrame.from_ndarray(planes, format=pixels)
            else:
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            output.mux(video.encode(frame))
        output.mux(video.encode())
    return path


def add_sound(output, audio, codec: str, seconds: float) -> None:
    layout, rate = audio.codec_context.layout, audio.codec_context.sample_rate
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(rate * seconds)) / rate)
    planar = np.repeat(wave.astype(np.float32)[None], layout.nb_channels, 0)
    frame = av.AudioFrame.from_ndarray(planar, format="fltp", layout=layout.name)
    frame.sample_rate, frame.pts = rate, 0
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
