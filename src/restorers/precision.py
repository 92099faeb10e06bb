"""Number format and memory order in which a network restores (performance.md 2)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from src.networks import CodeFormer


@dataclass(frozen=True)
class Precision:
    """How a network computes.

    `exact`: fp32 in the order in which the network was trained. `fp32`: fp32, channels last; equal up to rounding.
    `bf16`: bfloat16, channels last; the code predictor stays fp32, since its codes are decided by small margins.
    """

    name: str

    @property
    def _format(self) -> torch.memory_format:
        return torch.contiguous_format if self.name == "exact" else torch.channels_last

    @property
    def _dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.name == "bf16" else torch.float32

    @property
    def description(self) -> str:
        """Number format and memory order in words."""
        return f"{'bf16' if self.name == 'bf16' else 'fp32'}{'' if self.name == 'exact' else ', channels last'}"

    def prepared(self, network: nn.Module) -> nn.Module:
        """The network itself, converted in place, without gradients and in eval mode."""
        network = network.eval().requires_grad_(False).to(memory_format=self._format)
        for part in _convolutional(network):
            part.to(self._dtype)
        return network

    def ordered(self, network: nn.Module) -> nn.Module:
        """The network itself in its memory order, without gradients and in eval mode; `autocast` makes it bf16."""
        return network.eval().requires_grad_(False).to(memory_format=self._format)

    def autocast(self, device: torch.device) -> torch.autocast:
        """Where a network computes whose weights stay fp32, since some of its layers have to."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self.name == "bf16")

    def input(self, lq: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """Faces as the network takes them."""
        return lq.to(self._dtype, memory_format=self._format)


def _convolutional(network: nn.Module) -> list[nn.Module]:
    """What follows the precision: all but the code predictor, 1.3 % of the arithmetic."""
    if isinstance(network, CodeFormer):
        return [network.encoder, network.quantize, network.generator, network.fuse_convs_dict]
    return [network]


EXACT = Precision("exact")


def choose_precision(name: str, device: torch.device) -> Precision:
    """The precision called `exact`, `fp32` or `bf16`; `auto` is bf16 on a GPU that computes in it, else fp32."""
    if name != "auto":
        return Precision(name)
    has_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return Precision("bf16" if has_bf16 else "fp32")
