"""DifFace's networks with the weights of GOLDEN.md, and the arrays that the official networks computed with them."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from src.checkpoints.published import PUBLISHED_NETWORKS, load_published
from tests.networks.key_name_weights import recipe


def with_golden_weights(network: nn.Module) -> nn.Module:
    """The network itself, in eval mode; what it has computed (masks and indices) stays."""
    own = network.state_dict()
    computed = {key for key, tensor in own.items() if key.endswith("attn_mask") or not tensor.is_floating_point()}
    drawn = {key: tensor if key in computed else recipe(key, tuple(tensor.shape)) for key, tensor in own.items()}
    network.load_state_dict(drawn)
    return network.eval()


def golden_published(name: str) -> nn.Module:
    """A published network with the golden weights, loaded from what a training checkpoint of the authors holds."""
    state = with_golden_weights(PUBLISHED_NETWORKS[name]()).state_dict()
    return load_published(name, {"iters_start": 1, "state_dict": {f"module.{key}": state[key] for key in state}})


def golden_networks(root: Path) -> dict[str, np.ndarray]:
    """Arrays by name; `_s2`, `_s4` mark those of which every second or fourth pixel is kept."""
    with np.load(root / "tests" / "data" / "difface_networks_golden.npz") as stored:
        return dict(stored)


def assert_near(value: Tensor, expected: np.ndarray) -> None:
    """Equal within the tolerance that GOLDEN.md allows networks."""
    torch.testing.assert_close(value.detach(), torch.from_numpy(expected).to(value.dtype), rtol=0, atol=1e-4)


def assert_channel_statistics(image: Tensor, mean: np.ndarray, std: np.ndarray) -> None:
    """Mean and unbiased deviation of each channel of one image, in float64, are the stored ones."""
    channels = image[0].double().flatten(1)
    assert_near(channels.mean(1), mean)
    assert_near(channels.std(1), std)
