"""Colour changes against torchvision's, which define them."""

import numpy as np
import pytest
import torch
from torchvision.transforms import functional as reference

from src.degradation.colour import jitter_colours, shift_colours, to_grey
from src.degradation.drawn import JitterDraw, ShiftDraw

NAMES = ("brightness", "contrast", "saturation", "hue")


def picture() -> np.ndarray:
    """Random colours, among them black, white, pure and equal channels; float32 levels."""
    image = np.random.default_rng(0).uniform(0, 255, (40, 40, 3)).astype(np.float32)
    image[0, :6] = [[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [7, 7, 7]]
    image[1, :6] = [[255, 255, 0], [0, 255, 255], [255, 0, 255], [9, 9, 3], [3, 9, 9], [9, 3, 9]]
    return image


def by_torchvision(image: np.ndarray, changes: tuple[tuple[str, float], ...]) -> np.ndarray:
    tensor = torch.from_numpy(image / np.float32(255)).permute(2, 0, 1)
    for name, amount in changes:
        tensor = getattr(reference, f"adjust_{name}")(tensor, amount)
    return tensor.permute(1, 2, 0).numpy() * 255


@pytest.mark.parametrize("amount", [0.0, 0.5, 1.3])
@pytest.mark.parametrize("name", NAMES[:3])
def test_factors_are_those_of_torchvision(name: str, amount: float) -> None:
    changes = ((name, amount),)
    found = jitter_colours(picture(), JitterDraw(changes=changes))
    np.testing.assert_allclose(found, by_torchvision(picture(), changes), atol=1e-3)


@pytest.mark.parametrize("turn", [-0.5, -0.1, 0.0, 0.04, 1 / 3, 0.5])
def test_hue_turns_as_in_torchvision(turn: float) -> None:
    found = jitter_colours(picture(), JitterDraw(changes=(("hue", turn),)))
    np.testing.assert_allclose(found, by_torchvision(picture(), (("hue", turn),)), atol=5e-3)


def test_the_order_of_the_changes_counts_and_the_input_is_left_alone() -> None:
    image = picture()
    changes = tuple(zip(NAMES, (1.4, 0.6, 1.5, 0.08), strict=True))
    forwards, backwards = (jitter_colours(image, JitterDraw(changes=c)) for c in (changes, changes[::-1]))
    np.testing.assert_allclose(forwards, by_torchvision(picture(), changes), atol=1e-2)
    np.testing.assert_allclose(backwards, by_torchvision(picture(), changes[::-1]), atol=1e-2)
    assert np.abs(forwards - backwards).max() > 5
    np.testing.assert_array_equal(image, picture())


def test_shift_and_grey() -> None:
    image = picture()
    shifted = shift_colours(image, ShiftDraw(offsets=(20.0, 0.0, -300.0)))
    np.testing.assert_allclose(shifted[..., 0], np.minimum(image[..., 0] + 20, 255), atol=1e-4)
    np.testing.assert_array_equal(shifted[..., 1], image[..., 1])
    assert not shifted[..., 2].any()
    grey = to_grey(image)
    np.testing.assert_allclose(grey, (image @ [0.299, 0.587, 0.114])[..., None].repeat(3, -1), atol=1e-4)
