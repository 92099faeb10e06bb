"""The baseline of the speed study against the arrays of the official code (GOLDEN.md) and against the suite's engine."""

import random
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from experiments.speed import public_chain
from experiments.speed.public_chain import add_noise, jpeg, make_kernel, public_degrade, resized
from experiments.speed.public_draws import GFPGAN, LARGE, SMALL, Colour, Parameters, draw, draw_colour, taken_over
from experiments.speed.step_times import StepTimes
from src.data.image_file import write_png
from src.degradation.draw import draw as draw_keyed
from src.degradation.engine import apply_draws, named_chain
from src.degradation.keyed import SampleKey
from tests.degradation.golden import Golden, golden_arrays, smooth_picture


@pytest.fixture(scope="module")
def golden(root: Path) -> Golden:
    return golden_arrays(root)


@pytest.fixture(scope="module")
def smooth() -> np.ndarray:
    return smooth_picture()


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A picture of soft blobs with grain, as a file and as RGB."""
    numbers = np.random.default_rng(3)
    blobs = cv2.resize(numbers.uniform(0, 255, (12, 12, 3)), (512, 512), interpolation=cv2.INTER_CUBIC)
    image = np.clip(np.rint(blobs + numbers.normal(0, 4, blobs.shape)), 0, 255).astype(np.uint8)
    path = tmp_path_factory.mktemp("faces") / "face.png"
    write_png(path, image)
    return path, image


def test_kernels_equal_the_official_ones(golden: Golden) -> None:
    sigma, sigma_x, sigma_y, angle, _, _ = golden["deg_params"].tolist()
    np.testing.assert_allclose(make_kernel(sigma, None, 0.0)[20], golden["deg_kernel_iso_row20"], atol=1e-12)
    turned = make_kernel(sigma_x, sigma_y, angle)
    np.testing.assert_allclose(turned[::4, ::4], golden["deg_kernel_aniso_sub"], atol=1e-12)
    assert turned.sum() == pytest.approx(float(golden["deg_kernel_aniso_sum"]), abs=1e-12)


def test_every_step_equals_the_official_one(golden: Golden, smooth: np.ndarray) -> None:
    _, sigma_x, sigma_y, angle, factor, quality = golden["deg_params"].tolist()
    side = int(512 // factor)
    noise = np.random.RandomState(123).randn(side, side, 3).astype(np.float32)
    blurred = cv2.filter2D(smooth, -1, make_kernel(sigma_x, sigma_y, angle))
    small = resized(blurred, side)
    noisy = add_noise(small, 11.0, noise)
    decoded = jpeg(noisy, int(quality))
    final = np.rint(np.clip(resized(decoded, 512), 0, 1) * 255) / 255
    for image, name, stride in (
        (blurred, "deg_blur_sub", 32),
        (small, "deg_small", 8),
        (noisy, "deg_noisy_sub", 8),
        (decoded, "deg_jpeg_sub", 8),
        (final, "deg_final_sub", 32),
    ):
        np.testing.assert_allclose(image[::stride, ::stride], golden[name], atol=1e-6, err_msg=name)
    parameters = Parameters(
        sigma_x=sigma_x,
        sigma_y=sigma_y,
        angle=angle,
        side=side,
        noise_std=11.0,
        quality=int(quality),
        noise=noise,
    )
    np.testing.assert_array_equal(public_degrade(smooth, parameters), resized(decoded, 512))


def levels(tensor: torch.Tensor) -> np.ndarray:
    """RGB, HWC, not rounded."""
    return ((tensor + 1) * 127.5).permute(1, 2, 0).numpy()


@pytest.mark.parametrize("recipe", ["codeformer_large", "codeformer_small"])
def test_the_suite_makes_the_same_of_the_same_draws(recipe: str, face: tuple[Path, np.ndarray]) -> None:
    path, image = face
    shares = []
    for index in range(6):
        key = SampleKey(11, 0, index)
        draws = draw_keyed(named_chain(recipe), key, 512)
        made = public_chain.stage_two(path, taken_over(draws, key)[0], flip=False)
        difference = np.abs(levels(made["in"]) - apply_draws(image, draws, key)[1])
        np.testing.assert_allclose(levels(made["gt"]), image, atol=1e-4)
        # An earlier rounding flip may move a block of JPEG by several levels (performance.md 1.6).
        assert difference.mean() <= 0.002
        shares.append((difference > 0.5).mean())
    assert np.mean(shares) <= 1e-3


def test_colour_changes_are_those_of_the_suite(face: tuple[Path, np.ndarray]) -> None:
    path, image = face
    seen = set()
    for index in range(400):
        key = SampleKey(5, 0, index)
        draws = draw_keyed(named_chain("gfpgan"), key, 512)
        parameters, colour = taken_over(draws, key)
        case = (colour.shift is not None, colour.grey, bool(colour.jitter))
        if case in seen or sum(case) == 0:
            continue
        seen.add(case)
        made = public_chain.gfpgan_v1(path, parameters, colour, flip=False)
        target, degraded = apply_draws(image, draws, key)
        np.testing.assert_allclose(levels(made["gt"]), target, atol=0.51)
        difference = np.abs(levels(made["lq"]) - degraded)
        assert difference.mean() <= 0.01
        assert (difference > 0.5).mean() <= 0.01
    assert {(True, False, False), (False, False, True), (True, False, True)} <= seen
    assert any(grey for _, grey, _ in seen)


def test_datasets_hand_over_what_the_sheet_says(face: tuple[Path, np.ndarray]) -> None:
    path, image = face
    random_state, choice = np.random.RandomState(0), random.Random(0)
    small, large = draw(SMALL, choice, random_state), draw(LARGE, choice, random_state)
    times = StepTimes()
    public_chain.NUMBERS.seed(1)
    joint = public_chain.stage_three_joint(path, small, large, flip=True, step=times)
    assert list(joint) == ["gt", "in", "in_large_de"]
    np.testing.assert_allclose(levels(joint["gt"]), image[:, ::-1], atol=1e-4)
    for tensor in joint.values():
        assert (tensor.dtype, tensor.shape) == (torch.float32, (3, 512, 512))
        np.testing.assert_allclose(levels(tensor), np.rint(levels(tensor)), atol=1e-4)
    # The same generator gives the small degradation the same noise.
    public_chain.NUMBERS.seed(1)
    assert torch.equal(public_chain.stage_three_small(path, small, flip=True)["in"], joint["in"])
    assert torch.equal(public_chain.stage_one(path, flip=True)["gt"], joint["gt"])
    assert set(times.seconds) == {
        *("read", "decode", "float", "flip", "kernel", "blur", "down", "noise", "jpeg", "up"),
        *("tensor", "torch colour", "round", "normalise"),
    }
    assert min(times.seconds.values()) > 0
    lq = public_chain.gfpgan_v1(path, small, Colour(), flip=True, step=times)
    assert list(lq) == ["gt", "lq"]
    assert "colour" in times.seconds


@pytest.mark.parametrize("ranges", [SMALL, LARGE, GFPGAN])
def test_draws_fill_the_published_ranges(ranges) -> None:
    choice, numbers = random.Random(1), np.random.RandomState(1)
    drawn = [draw(ranges, choice, numbers) for _ in range(2000)]
    sides = [int(512 // factor) for factor in reversed(ranges.factor)]
    for values, (low, high) in (
        ([one.sigma_x for one in drawn], ranges.sigma),
        ([one.sigma_y for one in drawn if one.sigma_y is not None], ranges.sigma),
        ([one.noise_std for one in drawn], ranges.noise),
        ([one.quality for one in drawn], ranges.quality),
        ([one.side for one in drawn], sides),
    ):
        assert low <= min(values) <= low + 0.02 * (high - low)
        assert high - 0.06 * (high - low) <= max(values) <= high
    assert sum(one.sigma_y is None for one in drawn) == pytest.approx(1000, abs=100)


def test_colour_draws_have_the_published_probabilities() -> None:
    numbers = np.random.RandomState(2)
    drawn = [draw_colour(numbers) for _ in range(4000)]
    assert sum(one.shift is not None for one in drawn) == pytest.approx(1200, abs=120)
    assert sum(bool(one.jitter) for one in drawn) == pytest.approx(1200, abs=120)
    assert sum(one.grey for one in drawn) == pytest.approx(40, abs=25)
    assert len({tuple(name for name, _ in one.jitter) for one in drawn if one.jitter}) == 24
