"""Activation checkpointing: time against memory in training (Chen et al., arXiv 1604.06174)."""

from torch import nn

from src.networks.encoder import Encoder
from src.networks.feature_transformation import FeatureTransformation
from src.networks.generator import Generator


def recompute_activations(network: nn.Module, resolutions: int) -> int:
    """Let the residual blocks of the `resolutions` largest feature maps compute again what their backward pass needs.

    Every encoder, generator and CFT block inside `network` is meant; the numbers stay bit for bit what they are. Returns
    how many blocks do; 0 `resolutions`, or a network without such blocks, leaves all as it is.
    """
    blocks = [
        (side, block)
        for part in network.modules()
        if isinstance(part, Encoder | Generator)
        for side, block in part.residual_blocks()
    ]
    blocks += [
        (int(side), part.encode_enc)
        for module in network.modules()
        if isinstance(module, nn.ModuleDict)
        for side, part in module.items()
        if isinstance(part, FeatureTransformation)
    ]
    largest = sorted({side for side, _ in blocks}, reverse=True)[:resolutions]
    for side, block in blocks:
        block.recomputes = side in largest
    return sum(block.recomputes for _, block in blocks)
