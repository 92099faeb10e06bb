"""Exponential moving average of a network's weights, counted in iterations."""

import copy
from collections.abc import Iterator
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.profiler import record_function

Network = TypeVar("Network", bound=nn.Module)


class Place(NamedTuple):
    """Where a tensor lies in the averaged and in the live network: a dictionary of a module each, and a name in it.

    (Not the tensor itself, which a move to another device may replace.)
    """

    averaged: dict[str, Tensor | None]
    live: dict[str, Tensor | None]
    name: str

    def tensors(self) -> tuple[Tensor, Tensor]:
        """Averaged and live."""
        averaged, live = self.averaged[self.name], self.live[self.name]
        assert averaged is not None
        assert live is not None
        return averaged, live


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
        self._walked: tuple[Network, list[Place], list[Place]] | None = None

    def train(self, mode: bool = True) -> "WeightAverage[Network]":
        """Stay in eval mode."""
        return super().train(False)

    @torch.no_grad()
    def update(self, live: Network) -> None:
        """Take one step towards the live weights."""
        with record_function("weight_average"):
            # Walking through the modules every iteration would take a good part of the time.
            if self._walked is None or self._walked[0] is not live:
                self._walked = live, self._places(live, "_parameters"), self._places(live, "_buffers")
            _, parameters, buffers = self._walked
            pairs = [place.tensors() for place in parameters]
            trained = [(averaged, weight.detach()) for averaged, weight in pairs if weight.requires_grad]
            torch._foreach_lerp_([a for a, _ in trained], [w for _, w in trained], 1.0 - self.decay)
            for averaged, current in (place.tensors() for place in buffers):
                averaged.copy_(current)

    def _places(self, live: Network, kind: str) -> list[Place]:
        """Of the parameters or of the buffers, each tensor once."""
        pairs = zip(self.network.modules(), live.modules(), strict=True)
        found = {id(place.tensors()[1]): place for modules in pairs for place in _of_modules(*modules, kind)}
        return list(found.values())


def _of_modules(averaged: nn.Module, live: nn.Module, kind: str) -> Iterator[Place]:
    tables = getattr(averaged, kind), getattr(live, kind)
    return (Place(*tables, name) for name, tensor in tables[1].items() if tensor is not None)
