import numpy as np
import pytest

from src.photos.colour import is_grey, matched, recoloured, to_grey

RANDOM = np.random.default_rng(0)
GREY = np.repeat(RANDOM.integers(20, 200, (64, 64, 1), np.uint8), 3, axis=2)
SEPIA = np.clip(GREY + np.array([30, 10, -15]), 0, 255).astype(np.uint8)
COLOURED = RANDOM.integers(0, 256, (64, 64, 3), np.uint8)


def test_grey_is_what_differs_by_a_constant_tint():
    assert is_grey(GREY)
    assert is_grey(SEPIA)
    noisy = np.clip(GREY.astype(int) + RANDOM.integers(-2, 3, GREY.shape), 0, 255).astype(np.uint8)
    assert is_grey(noisy)
    assert not is_grey(COLOURED)
    # Mean variance of the three differences: 2/3 of the variance of one tinted channel.
    tinted = GREY.copy()
    tinted[:32, :, 0] += 6
    assert is_grey(tinted)
    tinted[:32, :, 0] += 4
    assert not is_grey(tinted)


def test_luma_follows_the_published_weights():
    assert to_grey(np.uint8([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]]))[0, :, 1].tolist() == [76, 150, 29]


def test_matching_gives_mean_and_deviation_of_the_reference():
    reference = (COLOURED / 4 + [40, 60, 80]).astype(np.uint8)
    result = matched(GREY, reference)
    assert np.allclose(result.mean((0, 1)), reference.mean((0, 1)), atol=0.3)
    assert np.allclose(result.std((0, 1)), reference.std((0, 1)), atol=0.3)
    flat = np.full((8, 8, 3), 100, np.uint8)
    assert (matched(flat, flat) == 100).all()


@pytest.mark.parametrize(
    ("mode", "grey", "changes"),
    [("keep", True, False), ("auto", False, False), ("auto", True, True), ("match", False, True)],
)
def test_modes(mode, grey, changes):
    result = recoloured(COLOURED, SEPIA, grey=grey, mode=mode)
    assert (result != COLOURED).any() == changes
    if grey and changes:
        assert is_grey(result)
        assert np.allclose(result.mean((0, 1)), SEPIA.mean((0, 1)), atol=1)
