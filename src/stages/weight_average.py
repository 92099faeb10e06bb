"""Exponential moving average of a network's weights, counted in iterations."""

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


class WeightAverage(nn.Module, Generic[Network]):
    """Keeps average <- decay * average + (1 - decay) * live over the trainable parameters; buffers are copied.

    The averaged copy is `self.network`: frozen, in eval mode whatever the surrounding module's mode, and part of the
    state dict.
    """

    network: Network

    def __init__(self, live: Network, decay: float) -> None:
        super().__init__()
        self.network = copy.deepcopy(live).requires_grad_(False).eval()
        self.decay = decay

    def train(self, mode: bool = True) -> "WeightAverage[Network]":
        """Stay in eval mode."""
        return super().train(False)

    @torch.no_grad()
    def update(self, live: Network) -> None:
        """Take one step towards the live weights."""
        averaged = dict(self.network.named_parameters())
        trained = [(averaged[name], weight) for name, weight in live.named_parameters() if weight.requires_grad]
        torch._foreach_lerp_([a for a, _ in trained], [w.detach() for _, w in trained], 1.0 - self.decay)
        for (_, kept), (_, current) in zip(self.network.named_buffers(), live.named_buffers(), strict=True):
            kept.copy_(current)
