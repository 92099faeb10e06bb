"""The chain on a batch of tensors equals the chain on single images, with as many operators for any number of them."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from src.degradation.batch import degrade_batch
from src.degradation.chain import Chain, chain_of
from src.degradation.engine import degrade_pair
from src.degradation.jpeg_tables import tables_on
from src.degradation.keyed import SampleKey
from src.degradation.recipes import load_recipe
from src.degradation.tensor_support import unsupported_steps
from src.settings.errors import UserError
from tests.degradation.chains import chain, changed

SECOND_ORDER = {"gaussian_or_poisson_noise__gaussian": 1.0, "gaussian_or_poisson_noise_2__gaussian": 1.0}
CHAINS = {name: chain_of(load_recipe(name)) for name in ("codeformer_small", "codeformer_large", "gfpgan", "difface")}
CHAINS["colour"] = chain_of(
    changed("gfpgan", colour_shift__probability=0.7, grey__probability=0.3, colour_jitter__probability=0.8)
)
CHAINS["second_order"] = chain_of(changed("second_order", **SECOND_ORDER))


def batch_of(count: int, side: int) -> torch.Tensor:
    """Smooth waves with grain, 8-bit RGB."""
    rng = np.random.default_rng([count, side])
    y, x = np.mgrid[0:side, 0:side] * (12.0 / side)
    phases = rng.uniform(0, 6, (count, 1, 1, 3))
    waves = 127 + 90 * np.sin(x[None, ..., None] + phases) * np.cos(y[None, ..., None] - phases)
    levels = np.clip(waves + rng.normal(0, 6, waves.shape), 0, 255).astype(np.uint8)
    return torch.from_numpy(levels).permute(0, 3, 1, 2).contiguous()


def keys_of(count: int) -> list[SampleKey]:
    return [SampleKey(9, i % 3, 3 * i + 1) for i in range(count)]


def differences(recipe: Chain, side: int, count: int) -> np.ndarray:
    """Absolute differences in levels between the two engines' degraded images, NHWC; the targets must be equal."""
    hq, keys = batch_of(count, side), keys_of(count)
    found = [images.permute(0, 2, 3, 1).numpy() for images in degrade_batch(hq, recipe, keys)]
    faces = hq.permute(0, 2, 3, 1).contiguous().numpy()
    pairs = [degrade_pair(face, recipe, key) for face, key in zip(faces, keys, strict=True)]
    np.testing.assert_array_equal(found[0], np.stack([target for target, _ in pairs]))
    return np.abs(found[1].astype(int) - np.stack([lq for _, lq in pairs]))


@pytest.mark.parametrize("name", CHAINS)
def test_batch_equals_single(name: str) -> None:
    """Target 5 of performance.md, for the mean over images of all sizes; see `degrade_batch` for what differs at all."""
    batches = [(1, 6), (7, 40), (64, 120), (128, 24), (512, 2)]
    found = [image for side, count in batches for image in differences(CHAINS[name], side, count)]
    assert np.mean([(image > 0).mean() for image in found]) <= 0.003
    assert np.mean([image.mean() for image in found]) <= 0.002
    assert np.mean([not image.any() for image in found]) >= 0.8


@pytest.mark.parametrize("name", ["codeformer_small", "codeformer_large"])
def test_without_jpeg_single_levels_differ(name: str) -> None:
    difference = differences(chain_of(changed(name, jpeg=None)), 100, 24)
    assert difference.max() <= 1
    assert difference.mean() <= 1e-4


@pytest.mark.parametrize("steps", [{}, {"gaussian_noise": {"std": [0, 20], "grey": 0.5, "probability": 0.8}}], ids=str)
def test_nothing_differs_without_sums_over_pixels(steps: dict[str, Any]) -> None:
    noisy = chain(**steps, jpeg={"quality": [1, 100], "probability": 0.8}, grey={"probability": 0.3, "of_target": True})
    for side in (1, 33):
        assert differences(noisy, side, 12).max() == 0


@pytest.mark.parametrize("name", CHAINS)
def test_a_sample_does_not_depend_on_its_neighbours(name: str) -> None:
    hq, keys = batch_of(12, 48), keys_of(12)
    whole = degrade_batch(hq, CHAINS[name], keys)
    alone = [degrade_batch(hq[i : i + 1], CHAINS[name], keys[i : i + 1]) for i in range(12)]
    for images, parts in zip(whole, zip(*alone, strict=True), strict=True):
        assert torch.equal(images, torch.cat(parts))
    back = degrade_batch(hq.flip(0), CHAINS[name], keys[::-1])
    assert torch.equal(back[1].flip(0), whole[1])


class Operators(TorchDispatchMode):
    """Counts the operators that run."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.counts[str(func)] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", CHAINS)
def test_as_many_operators_for_any_number_of_images(name: str) -> None:
    """The batches hold the same two draws, because a step that acts on no image is skipped."""

    def counts(repeats: int) -> Counter[str]:
        keys = [SampleKey(9, 0, index) for index in (3, 4)] * repeats
        with Operators() as operators:
            degrade_batch(batch_of(len(keys), 40), CHAINS[name], keys)
        return operators.counts

    counts(1)  # tables are copied to a device once
    few = counts(1)
    assert counts(16) == few
    assert few.total() > 100


@pytest.mark.parametrize("name", CHAINS)
def test_on_a_gpu_the_host_never_waits_and_devices_are_not_mixed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensors without content refuse both, and need no GPU."""
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
    tables_on.cache_clear()
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
            hq = torch.empty(6, 3, 40, 40, dtype=torch.uint8, device="cuda")
            found = degrade_batch(hq, CHAINS[name], keys_of(6))
    finally:
        tables_on.cache_clear()
    assert [(images.device.type, images.shape, images.dtype) for images in found] == [("cuda", hq.shape, hq.dtype)] * 2


def test_what_is_not_supported_is_told() -> None:
    assert all(unsupported_steps(recipe) == [] for recipe in CHAINS.values())
    refused = {
        "webp": {"quality": 80},
        "poisson_noise": {"scale": 1},
        "gaussian_or_poisson_noise": {"gaussian": 0.9, "std": 1, "scale": 1},
        "brush_mask": {},
    }
    for name, content in refused.items():
        (sentence,) = unsupported_steps(chain(blur=None, **{f"{name}_2": content}))
        assert sentence.startswith(f"steps.{name}_2: ")
        assert sentence.endswith("not available on the device; use trainer.degradation=loader.")
    with pytest.raises(UserError, match=r"steps\.webp: WebP is not available"):
        degrade_batch(batch_of(1, 8), chain(webp={"quality": 80}), keys_of(1))


def test_an_empty_batch_and_what_is_refused() -> None:
    small, none = CHAINS["codeformer_small"], torch.zeros(0, 3, 16, 16, dtype=torch.uint8)
    assert [images.shape for images in degrade_batch(none, small, [])] == [none.shape] * 2
    with pytest.raises(ValueError, match="1 images came with 2 keys"):
        degrade_batch(none.new_zeros(1, 3, 16, 16), small, keys_of(2))
    with pytest.raises(ValueError, match="16 x 8 pixels, expected squares"):
        degrade_batch(none.new_zeros(1, 3, 16, 8), small, keys_of(1))
    with pytest.raises(ValueError, match="expected whole numbers from 0"):
        degrade_batch(none.new_zeros(1, 3, 16, 16), small, [SampleKey(0, 0, -1)])
