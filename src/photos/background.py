"""Enlarges the photo around the faces."""

import threading
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
import torch
from jaxtyping import UInt8, UInt16

from src.checkpoints.files import sha256_of
from src.checkpoints.tensor_file import bare_state_dict, read_tensor_file
from src.photos.tiles import tiled
from src.settings.errors import UserError
from src.settings.restore import TileSettings

Photo = UInt8[np.ndarray, "h w c"] | UInt16[np.ndarray, "h w c"]
Enlarged = UInt8[np.ndarray, "height width c"] | UInt16[np.ndarray, "height width c"]


@runtime_checkable
class Background(Protocol):
    """A way to bring a photo to the size of the result."""

    @property
    def name(self) -> str:
        """Name as in `background=`."""

    @property
    def weights(self) -> dict[str, str]:
        """SHA-256 by name of every weights file."""

    def enlarge(self, photo: Photo, width: int, height: int) -> Enlarged:
        """The RGB photo at the given size, of the same type."""


class LanczosBackground:
    """Lanczos interpolation over 8 x 8 pixels; a smaller result takes the mean of what falls onto each pixel."""

    name = "lanczos"
    weights: dict[str, str] = {}

    def enlarge(self, photo: Photo, width: int, height: int) -> Enlarged:
        """The photo at the given size; of its own size, the photo itself."""
        return _resized(photo, width, height, cv2.INTER_LANCZOS4)


class BilinearBackground:
    """Bilinear interpolation, as in the published script; a smaller result as with Lanczos."""

    name = "bilinear"
    weights: dict[str, str] = {}

    def enlarge(self, photo: Photo, width: int, height: int) -> Enlarged:
        """The photo at the given size; of its own size, the photo itself."""
        return _resized(photo, width, height, cv2.INTER_LINEAR)


class NetworkBackground:
    """A super-resolution network that the package spandrel recognises by its weights, such as Real-ESRGAN's.

    It sees tiles, in half precision on a GPU if the photo has 8 bits; its result is brought to the exact size as with
    Lanczos. Threads may share it.

    Raises:
        UserError: the file cannot be read, or holds no network that enlarges RGB images.
    """

    name = "realesrgan"

    def __init__(self, path: Path, tile: TileSettings, device: torch.device) -> None:
        model = _enlarging_model(path)
        self._model = model.to(device).eval()
        self._device = device
        self._tile = tile
        self._half = torch.float16 if model.supports_half else torch.bfloat16
        self._has_half = device.type == "cuda" and (model.supports_half or model.supports_bfloat16)
        self._one_at_a_time = threading.Lock()
        self.weights = {self.name: sha256_of(path)}

    def enlarge(self, photo: Photo, width: int, height: int) -> Enlarged:
        """The photo through the network, whatever its size, at the given size.

        Raises:
            UserError: a tile does not fit the device's memory.
        """
        # Networks that first fold pixels into channels see every tile on the grid of the whole photo.
        grid = self._model.size_requirements.multiple_of
        size, padding = (-(-length // grid) * grid for length in (self._tile.size, self._tile.padding))
        large = tiled(self._enlarged_tile, photo, size, padding, self._model.scale)
        return _resized(large, width, height, cv2.INTER_LANCZOS4)

    @torch.inference_mode()
    def _enlarged_tile(self, tile: np.ndarray) -> np.ndarray:
        levels = int(np.iinfo(tile.dtype).max)
        pixels = torch.from_numpy(tile.astype(np.float32)).permute(2, 0, 1)[None] / levels
        half = torch.autocast(self._device.type, self._half, enabled=self._has_half and levels == 255)
        try:
            with self._one_at_a_time, half:
                large = self._model(pixels.to(self._device)).float()
                return (large[0].permute(1, 2, 0) * levels).round().cpu().numpy().astype(tile.dtype)
        except torch.OutOfMemoryError:
            raise UserError(
                f"tile.size: a tile of {self._tile.size} pixels does not fit the memory of {self._device}; take a smaller one"
            ) from None


def _enlarging_model(path: Path) -> Any:
    """spandrel's descriptor of the network of a file, which pads tiles as the network asks and cuts the result."""
    # Imports every architecture it knows.
    import spandrel

    state = bare_state_dict(read_tensor_file(path), str(path))
    try:
        # A network draws random weights before it takes those of the file.
        with torch.random.fork_rng(devices=[]):
            model = spandrel.ModelLoader().load_from_state_dict(state)
    except Exception as error:  # a file of another network can fail anywhere in the guess of its sizes
        reason = (str(error).splitlines() or [""])[0]
        raise UserError(
            f"{path}: no network that spandrel recognises ({type(error).__name__}: {reason[:120]}); "
            "background_weights takes a super-resolution network such as Real-ESRGAN's"
        ) from error
    channels = model.input_channels, getattr(model, "output_channels", 0)
    if getattr(model, "purpose", None) != "SR" or model.scale < 2 or channels != (3, 3):
        raise UserError(
            f"{path}: {model.architecture.name} for {model.purpose} at scale {model.scale} with {channels[0]} input and "
            f"{channels[1]} output channels is no network that enlarges RGB images; take another background_weights"
        )
    return model


def _resized(photo: Photo, width: int, height: int, interpolation: int) -> Enlarged:
    if photo.shape[:2] == (height, width):
        return photo
    if width <= photo.shape[1] and height <= photo.shape[0]:
        interpolation = cv2.INTER_AREA
    return cv2.resize(photo, (width, height), interpolation=interpolation).reshape(height, width, photo.shape[2])
