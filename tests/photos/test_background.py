"""Enlarging the photo around the faces: closed forms, and networks in tiles against the same network in one piece."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from src.photos.background import Background, BilinearBackground, LanczosBackground, NetworkBackground
from src.photos.tiles import tiled
from src.settings.errors import UserError
from src.settings.restore import TileSettings

CPU = torch.device("cpu")
TYPES = [np.uint8, np.uint16]
INTERPOLATIONS = [LanczosBackground(), BilinearBackground()]


def waves(height: int, width: int, dtype=np.uint8) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    shades = np.stack([np.sin(x / 5 + k) * np.cos(y / 7 - k) for k in range(3)], axis=2)
    return np.rint((shades * 0.3 + 0.5) * np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize("background", INTERPOLATIONS, ids=lambda background: background.name)
@pytest.mark.parametrize("dtype", TYPES)
def test_interpolation(background, dtype) -> None:
    photo, levels = waves(60, 85, dtype), float(np.iinfo(dtype).max)
    assert isinstance(background, Background)
    assert background.enlarge(photo, 85, 60) is photo
    large = background.enlarge(photo, 170, 120)
    assert (large.shape, large.dtype) == ((120, 170, 3), photo.dtype)
    y, x = np.mgrid[20:100, 20:150] / 2 - 0.25
    expected = np.stack([np.sin(x / 5 + k) * np.cos(y / 7 - k) for k in range(3)], axis=2) * 0.3 + 0.5
    assert np.abs(large[20:100, 20:150] / levels - expected).max() < (0.01 if background.name == "bilinear" else 0.006)
    blocks = photo[:60, :84].reshape(30, 2, 42, 2, 3).mean(axis=(1, 3))
    assert np.abs(background.enlarge(photo[:, :84].copy(), 42, 30) - blocks).max() <= 0.75


def test_interpolation_of_a_step() -> None:
    step = np.zeros((1, 2, 1), np.uint8)
    step[0, 1] = 100
    assert BilinearBackground().enlarge(step, 4, 1).ravel().tolist() == [0, 25, 75, 100]


def test_a_panorama_beyond_16_bit_coordinates() -> None:
    photo = np.tile(waves(8, 1000), (1, 40, 1))
    for background in INTERPOLATIONS:
        large = background.enlarge(photo, 80000, 16)
        assert large.shape == (16, 80000, 3)
        end = background.enlarge(photo[:, -2000:].copy(), 4000, 16)
        assert np.abs(large[:, -3000:].astype(int) - end[:, -3000:]).max() <= 1


def enlarged_locally(image: np.ndarray) -> np.ndarray:
    """Means of 7 x 7 pixels, each drawn as 3 x 3."""
    means = cv2.blur(image, (7, 7), borderType=cv2.BORDER_REFLECT_101)
    return means.repeat(3, axis=0).repeat(3, axis=1)


@pytest.mark.parametrize("size", [(40, 40), (41, 79), (10, 90)])
def test_tiles_are_the_whole(size) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    whole = enlarged_locally(image)
    assert np.array_equal(tiled(enlarged_locally, image, 20, 3, 3), whole)
    assert np.array_equal(tiled(enlarged_locally, image, 33, 6, 3), whole)
    assert not np.array_equal(tiled(enlarged_locally, image, 20, 1, 3), whole)


def real_esrgan_state(unshuffled: bool) -> dict[str, torch.Tensor]:
    """Random weights of a small Real-ESRGAN in the names of its published files; 12 input channels at scale 2."""
    width, growth = 8, 32
    sizes = {"conv_first": (12 if unshuffled else 3, width), "conv_body": (width, width), "conv_up1": (width, width)}
    sizes |= {"conv_up2": (width, width), "conv_hr": (width, width), "conv_last": (width, 3)}
    for block in range(1, 4):
        sizes |= {f"body.0.rdb{block}.conv{k}": (width + growth * (k - 1), growth) for k in range(1, 5)}
        sizes[f"body.0.rdb{block}.conv5"] = (width + growth * 4, width)
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, (inputs, outputs) in sizes.items():
        state[f"{name}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=generator) * (1.2 / (9 * inputs) ** 0.5)
        state[f"{name}.bias"] = torch.full((outputs,), 0.5 if name == "conv_last" else 0.0)
    state["conv_last.weight"] *= 0.5
    return state


def real_esrgan(state: dict[str, torch.Tensor], image: torch.Tensor) -> torch.Tensor:
    """The network by its paper (Wang et al., ICCVW 2021), of one block."""

    def conv(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)

    def act(x: torch.Tensor) -> torch.Tensor:
        return F.leaky_relu(x, 0.2)

    def dense(x: torch.Tensor, name: str) -> torch.Tensor:
        seen = [x]
        for k in range(1, 5):
            seen.append(act(conv(torch.cat(seen, 1), f"{name}.conv{k}")))
        return conv(torch.cat(seen, 1), f"{name}.conv5") * 0.2 + x

    folded = F.pixel_unshuffle(image, 2) if state["conv_first.weight"].shape[1] == 12 else image
    first = conv(folded, "conv_first")
    deep = first
    for block in range(1, 4):
        deep = dense(deep, f"body.0.rdb{block}")
    features = first + conv(deep * 0.2 + first, "conv_body")
    for name in ("conv_up1", "conv_up2"):
        features = act(conv(F.interpolate(features, scale_factor=2), name))
    return conv(act(conv(features, "conv_hr")), "conv_last")


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("unshuffled", "scale"), [(True, 2), (False, 4)])
def test_real_esrgan_in_tiles(unshuffled, scale, dtype, tmp_path) -> None:
    state = real_esrgan_state(unshuffled)
    torch.save({"params_ema": state, "params": {}}, tmp_path / "network.pth")
    before = torch.get_rng_state()
    # Sides that are no multiple of the grid of 4 pixels; a tile that is none either.
    background = NetworkBackground(tmp_path / "network.pth", TileSettings(size=41, padding=47), CPU)
    assert torch.equal(before, torch.get_rng_state())
    photo, levels = waves(52, 96, dtype), np.iinfo(dtype).max
    pixels = torch.from_numpy(photo.astype(np.float32) / levels).permute(2, 0, 1)[None]
    expected = real_esrgan(state, pixels)[0].permute(1, 2, 0).clamp(0, 1).numpy() * levels
    assert expected.std() > 0.02 * levels
    found = background.enlarge(photo, 96 * scale, 52 * scale)
    assert (found.dtype, background.name, list(background.weights)) == (photo.dtype, "realesrgan", ["realesrgan"])
    assert np.abs(found - expected).max() < 0.5 + levels * 2e-5


def test_real_esrgan_of_any_size(tmp_path) -> None:
    torch.save(real_esrgan_state(True), tmp_path / "network.pth")
    whole = NetworkBackground(tmp_path / "network.pth", TileSettings(size=400, padding=40), CPU)
    pieces = NetworkBackground(tmp_path / "network.pth", TileSettings(size=32, padding=48), CPU)
    for height, width in ((37, 53), (1, 1), (3, 65), (50, 33)):
        photo = waves(height, width)
        large = whole.enlarge(photo, 2 * width, 2 * height)
        assert np.abs(large.astype(int) - pieces.enlarge(photo, 2 * width, 2 * height)).max() <= 1
    exact = cv2.resize(large, (100, 151), interpolation=cv2.INTER_LANCZOS4)
    assert np.array_equal(whole.enlarge(photo, 100, 151), exact)
    same_size = cv2.resize(large, (33, 50), interpolation=cv2.INTER_AREA)
    assert np.array_equal(whole.enlarge(photo, 33, 50), same_size)


def test_threads_share_a_network(tmp_path) -> None:
    torch.save({"params": real_esrgan_state(True)}, tmp_path / "network.pth")
    background = NetworkBackground(tmp_path / "network.pth", TileSettings(size=32, padding=8), CPU)
    photos = [waves(30 + k, 60 - k) for k in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda photo: background.enlarge(photo, 100, 50), photos))
    for photo, large in zip(photos, together, strict=True):
        assert np.array_equal(large, background.enlarge(photo, 100, 50))


def compact_state(channels: int, scale: int) -> dict[str, torch.Tensor]:
    from spandrel.architectures.Compact import Compact

    with torch.random.fork_rng():
        return Compact(
            num_in_ch=channels, num_out_ch=channels, num_feat=4, num_conv=1, upscale=scale, act_type="prelu"
        ).state_dict()


def test_another_architecture(tmp_path) -> None:
    torch.save({"params": compact_state(3, 4)}, tmp_path / "network.pth")
    background = NetworkBackground(tmp_path / "network.pth", TileSettings(size=32, padding=8), CPU)
    photo = waves(20, 30)
    # A compact network adds its output to the picture enlarged by repetition.
    large = background.enlarge(photo, 120, 80)
    assert large.shape == (80, 120, 3)
    assert np.corrcoef(large.ravel(), photo.repeat(4, axis=0).repeat(4, axis=1).ravel())[0, 1] > 0.5


def test_files_that_do_not_enlarge_are_refused(tmp_path) -> None:
    path, tile = tmp_path / "network.pth", TileSettings(size=400, padding=40)
    with pytest.raises(UserError, match="no such weights file"):
        NetworkBackground(path, tile, CPU)
    for state, sentence in (
        ({"weight": torch.zeros(3)}, "no network that spandrel recognises"),
        ({key: value[:4] for key, value in real_esrgan_state(True).items()}, "no network that spandrel recognises"),
        (compact_state(1, 4), "1 input and 1 output channels is no network that enlarges RGB images"),
        (compact_state(3, 1), "at scale 1 .*is no network that enlarges RGB images"),
    ):
        torch.save(state, path)
        with pytest.raises(UserError, match=sentence):
            NetworkBackground(path, tile, CPU)
