"""The public training datasets of CodeFormer and GFP-GAN, as they work, in plain OpenCV, NumPy and torch: the baseline of
the speed study.

Written from the fact sheets (performance.md 1.1 and 1.2, codeformer.md 3), not from the code they describe. Up to the
tensors images are BGR, HWC, float32 in [0, 1]; tensors are RGB, CHW, float32 in [-1, 1]. What is drawn is given from
outside (`public_draws`), so that another implementation can be run on the same draws. Each step runs inside
`step(<name>)`, which `step_times` measures. OpenCV says once on stderr that its JPEG coder rounds floats.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torchvision.transforms import functional

from experiments.speed.public_draws import Colour, Parameters
from experiments.speed.step_times import Step, untimed

Image = Float32[np.ndarray, "_ _ 3"]
KERNEL_SIZE = 41
NUMBERS = np.random.RandomState()
"""As the datasets' global generator; seeded by whoever wants the noise again."""


def stage_one(path: Path, *, flip: bool, step: Step = untimed) -> dict[str, Tensor]:
    """CodeFormer stage I: the clean face `gt` alone."""
    return _normalised({"gt": _tensor(_read(path, flip, step), step)}, step)


def stage_two(path: Path, parameters: Parameters, *, flip: bool, step: Step = untimed) -> dict[str, Tensor]:
    """CodeFormer stage II (draws of `LARGE`): `gt` and the degraded `in`."""
    gt = _read(path, flip, step)
    return _handed_over(gt, {"in": public_degrade(gt, parameters, step)}, step)


def stage_three_small(path: Path, parameters: Parameters, *, flip: bool, step: Step = untimed) -> dict[str, Tensor]:
    """CodeFormer stage III without the large degradation: as `stage_two`, with draws of `SMALL`."""
    return stage_two(path, parameters, flip=flip, step=step)


def stage_three_joint(
    path: Path, small: Parameters, large: Parameters, *, flip: bool, step: Step = untimed
) -> dict[str, Tensor]:
    """CodeFormer stage III: `gt`, `in` and `in_large_de`, both degraded ones in every iteration."""
    gt = _read(path, flip, step)
    degraded = {"in": public_degrade(gt, small, step), "in_large_de": public_degrade(gt, large, step)}
    return _handed_over(gt, degraded, step)


def gfpgan_v1(
    path: Path, parameters: Parameters, colour: Colour, *, flip: bool, step: Step = untimed
) -> dict[str, Tensor]:
    """GFP-GAN v1 (draws of `GFPGAN`): `gt` and the degraded `lq`, with changes of colour."""
    gt = _read(path, flip, step)
    lq = public_degrade(gt, parameters, step)
    with step("colour"):
        if colour.shift is not None:
            lq = np.clip(lq + colour.shift, 0, 1)
        if colour.grey:
            lq, gt = _grey(lq), _grey(gt)
    return _handed_over(gt, {"lq": lq}, step, colour.jitter)


def public_degrade(image: Image, parameters: Parameters, step: Step = untimed) -> Image:
    """Blur, down-resize, noise, JPEG and resize back to the side of `image`."""
    with step("kernel"):
        kernel = make_kernel(parameters.sigma_x, parameters.sigma_y, parameters.angle)
    with step("blur"):
        degraded = cv2.filter2D(image, -1, kernel)
    with step("down"):
        degraded = resized(degraded, parameters.side)
    with step("noise"):
        degraded = add_noise(degraded, parameters.noise_std, parameters.noise)
    with step("jpeg"):
        degraded = jpeg(degraded, parameters.quality)
    with step("up"):
        return resized(degraded, image.shape[0])


def make_kernel(
    sigma_x: float, sigma_y: float | None, angle: float, size: int = KERNEL_SIZE
) -> Float[np.ndarray, "k k"]:
    """exp(-0.5 p^T S^-1 p) on a grid, sum 1, float64; isotropic (S = sigma_x^2 I) where `sigma_y` is None."""
    offsets = np.arange(-(size // 2), size // 2 + 1.0)
    x, y = np.meshgrid(offsets, offsets)
    grid = np.stack([x, y], axis=-1)
    if sigma_y is None:
        covariance = np.array([[sigma_x**2, 0], [0, sigma_x**2]])
    else:
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        covariance = turn @ np.array([[sigma_x**2, 0], [0, sigma_y**2]]) @ turn.T
    kernel = np.exp(-0.5 * np.sum(np.dot(grid, np.linalg.inv(covariance)) * grid, 2))
    return kernel / np.sum(kernel)


def resized(image: Image, side: int) -> Image:
    """Bilinear, without antialias."""
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)


def add_noise(image: Image, std: float, noise: Image | None = None) -> Image:
    """Gaussian noise of `std` levels, clipped; drawn as float64 by NumPy's old generator unless given."""
    if noise is None:
        noise = NUMBERS.randn(*image.shape).astype(np.float32)
    return np.clip(image + noise * std / 255.0, 0, 1)


def jpeg(image: Image, quality: int) -> Image:
    """JPEG encoding and decoding."""
    _, encoded = cv2.imencode(".jpg", image * 255.0, [int(cv2.IMWRITE_JPEG_QUALITY), quality])
    return _floats(cv2.imdecode(encoded, cv2.IMREAD_COLOR))


def _read(path: Path, flip: bool, step: Step) -> Image:
    with step("read"):
        data = path.read_bytes()
    with step("decode"):
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    with step("float"):
        image = _floats(decoded)
    with step("flip"):
        if flip:
            cv2.flip(image, 1, image)
    return image


def _floats(decoded: np.ndarray | None) -> Image:
    assert decoded is not None
    return decoded.astype(np.float32) / 255.0


def _grey(image: Image) -> Image:
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return np.tile(grey[:, :, None], [1, 1, 3])


def _handed_over(
    gt: Image, degraded: dict[str, Image], step: Step, jitter: Sequence[tuple[str, float]] = ()
) -> dict[str, Tensor]:
    tensors = {name: _tensor(image, step) for name, image in degraded.items()}
    clean = _tensor(gt, step)
    with step("torch colour"):
        tensors = {name: _jittered(tensor, jitter) for name, tensor in tensors.items()}
    with step("round"):
        tensors = {name: torch.clamp((tensor * 255.0).round(), 0, 255) / 255.0 for name, tensor in tensors.items()}
    return _normalised({"gt": clean} | tensors, step)


def _tensor(image: Image, step: Step) -> Tensor:
    with step("tensor"):
        return torch.from_numpy(cv2.cvtColor(image, cv2.COLOR_BGR2RGB).transpose(2, 0, 1)).float()


def _jittered(tensor: Tensor, jitter: Sequence[tuple[str, float]]) -> Tensor:
    for name, factor in jitter:
        tensor = getattr(functional, f"adjust_{name}")(tensor, factor)
    return tensor


def _normalised(tensors: dict[str, Tensor], step: Step) -> dict[str, Tensor]:
    with step("normalise"):
        for tensor in tensors.values():
            functional.normalize(tensor, [0.5, 0.5, 0.5], [0.5, 0.5, 0.5], inplace=True)
    return tensors
