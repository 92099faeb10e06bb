"""Blur of a batch equals OpenCV's filter with the kernels of the CPU engine."""

import math

import cv2
import numpy as np
import pytest
import torch

from src.degradation.canvas import Canvas
from src.degradation.canvas_blur import blur_canvas
from src.degradation.drawn import KernelDraw
from src.degradation.drawn_kernel import kernel_weights
from src.degradation.kernel_canvas import kernel_canvas

CPU = torch.device("cpu")


def all_kinds() -> list[KernelDraw]:
    """Kernels of every kind, many sizes and the limits of the parameters."""
    draws = [
        KernelDraw(kind="isotropic", size=size, sigma_x=s, sigma_y=s) for size in (1, 7, 41) for s in (0.001, 3.0, 90.0)
    ]
    for kind in ("anisotropic", "generalised_anisotropic", "plateau_anisotropic", "generalised_isotropic"):
        for size, first, second, angle in [(41, 0.1, 15.0, 0.7), (13, 3.0, 1.0, -math.pi), (127, 20.0, 33.3, 2.0)]:
            beta = {"g": 0.5 + size / 41, "p": 2 - size / 127}.get(kind[0], 0.0)
            draws.append(KernelDraw(kind=kind, size=size, sigma_x=first, sigma_y=second, angle=angle, beta=beta))
    for size, beta in [(9, 20.0), (21, 0.1)]:
        draws.append(KernelDraw(kind="plateau_isotropic", size=size, sigma_x=2.0, sigma_y=2.0, beta=beta))
        draws.append(KernelDraw(kind="generalised_isotropic", size=size, sigma_x=2.0, sigma_y=2.0, beta=beta))
    draws += [
        KernelDraw(kind="sinc", size=size, cutoff=c) for size in (1, 7, 21, 127) for c in (0.05, math.pi / 3, math.pi)
    ]
    draws += [KernelDraw(kind="motion", size=size, length=9.0, angle=a) for size in (1, 5, 21) for a in (0.0, -2.2)]
    return draws


def test_kernels_are_those_of_the_cpu_engine() -> None:
    draws = all_kinds()
    canvas = kernel_canvas(draws, CPU).numpy()
    assert canvas.shape == (len(draws), 127, 127)
    for drawn, kernel in zip(draws, canvas, strict=True):
        margin = (127 - drawn.size) // 2
        expected = np.pad(kernel_weights(drawn), margin)
        np.testing.assert_allclose(kernel, expected, rtol=0, atol=1e-12, err_msg=str(drawn))


@pytest.mark.parametrize("sides", [[1, 2, 3, 7, 33, 64], [101, 5, 128, 1, 41, 100]])
def test_blur_is_the_filter_of_opencv_on_each_sample(sides: list[int]) -> None:
    """Also where the kernel reaches beyond the image many times; every third sample is left alone."""
    rng = np.random.default_rng(sides)
    draws = all_kinds()
    batch = [sides[place % len(sides)] for place in range(len(draws))]
    levels = torch.from_numpy(rng.uniform(0, 255, (len(batch), 3, max(sides), max(sides))).astype(np.float32))
    picks = [place for place in range(len(batch)) if place % 3 != 1]
    blurred = blur_canvas(Canvas(levels, tuple(batch)), picks, [draws[pick] for pick in picks])
    for place, side in enumerate(batch):
        image = levels[place, :, :side, :side].permute(1, 2, 0).numpy()
        if place in picks:
            weights = kernel_weights(draws[place])
            image = cv2.filter2D(image.astype(np.float64), -1, weights, borderType=cv2.BORDER_REFLECT_101)
        found = blurred.levels[place, :, :side, :side].permute(1, 2, 0).numpy()
        np.testing.assert_allclose(found, image, rtol=0, atol=5e-5, err_msg=f"{draws[place]}, side {side}")
