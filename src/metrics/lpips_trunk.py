"""The lpips package's metric without its download: linear heads from the package, the trunk from a torchvision file."""

import re
import warnings

import lpips
from torch import Tensor, nn


def lpips_with_trunk(trunk: str, weights: dict[str, Tensor]) -> nn.Module:
    """LPIPS v0.1 with `trunk` (`alex` or `vgg`) filled from torchvision's state dict of that classifier; eval mode.

    Takes RGB in [-1, 1] and gives (b, 1, 1, 1).
    """
    with warnings.catch_warnings():
        # The package still calls torchvision by the argument names of 2022.
        warnings.filterwarnings("ignore", message=".*'pretrained'|.*weight enum", category=UserWarning)
        network = lpips.LPIPS(net=trunk, pnet_rand=True, verbose=False)
    keys = list(network.net.state_dict())
    network.net.load_state_dict({key: weights[_torchvision_key(key)] for key in keys})
    return network.eval()


def _torchvision_key(key: str) -> str:
    """slice2.5.weight is torchvision's features.5.weight."""
    return re.sub(r"^slice\d+\.", "features.", key)
