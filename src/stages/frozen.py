"""Networks that a stage uses without training them."""

from typing import Generic, TypeVar

from torch import nn

Network = TypeVar("Network", bound=nn.Module)


class Frozen(nn.Module, Generic[Network]):
    """Holds `network` without gradients and in eval mode for good, also when the trainer switches modes."""

    network: Network

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "Frozen[Network]":
        """Stay in eval mode."""
        return super().train(False)
