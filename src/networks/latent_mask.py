"""Learnable mask of the latent features that identity guidance may change (clr_face.md 6)."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from src.settings.clr_face import GATES, MASK_KINDS
from src.settings.scale import LatentMaskSize

Latent = Float[Tensor, "b c h w"]
Part = Float[Tensor, " b"]
Weights = Float[Tensor, "_ c h w"]

STRETCH = (-0.1, 1.1)
"""Interval to which hard-concrete gates are stretched before they are clipped to [0, 1] (arXiv 1712.01312, section 2.2)."""
GATE_TEMPERATURE = 2 / 3
"""Temperature of the concrete distribution there."""


class LatentMask(nn.Module, ABC):
    """m = sigmoid(W / temperature) of every latent feature of every face; before training every m is `initial`.

    `condition` is the normalised latent of the degraded face, `part` the part of the noising process, in [0, 1].
    ValueError for a temperature that is not positive, and unless `initial` lies in (0, 1).
    """

    def __init__(self, temperature: int | float, initial: float) -> None:
        super().__init__()
        if temperature <= 0 or not 0 < initial < 1:
            raise ValueError(f"temperature {temperature} must be positive, initial {initial} in (0, 1)")
        self.temperature = temperature
        self._first_weight = temperature * math.log(initial / (1 - initial))

    @abstractmethod
    def weights(self, condition: Latent, part: Part) -> Weights:
        """W of every face, or one for all."""

    def forward(self, condition: Latent, part: Part) -> Latent:
        """`soft`."""
        return self.soft(condition, part)

    def soft(self, condition: Latent, part: Part) -> Latent:
        """m, in (0, 1). Of a mask that was trained with hard-concrete gates: how probable it is that a gate exceeds 0.5,
        which is its mean within 0.03."""
        # Widened last: computed for a whole batch, the last bit would depend on the place in it.
        return torch.sigmoid(self._logits(condition, part)).expand(condition.shape)

    def hard(self, condition: Latent, part: Part) -> Latent:
        """1 where m exceeds 0.5, else 0."""
        return _binary(self.soft(condition, part))

    def trained(self, condition: Latent, part: Part, u: Latent, gates: str) -> Latent:
        """The mask as training sees it, in [0, 1]; `gates` is a name of `GATES`, ValueError otherwise.

        `soft`: m. `straight_through`: `hard`, with the gradient of m. `hard_concrete`: random gates (arXiv 1712.01312),
        exactly 0 or 1 with positive probability, made of `u`, numbers uniform in (0, 1), and of nothing else random.
        """
        if gates not in GATES:
            raise ValueError(f"gates {gates!r} must be one of {', '.join(GATES)}")
        if gates == "hard_concrete":
            return _hard_concrete(self._logits(condition, part), u)
        soft = self.soft(condition, part)
        return soft if gates == "soft" else soft + (_binary(soft) - soft).detach()

    def _logits(self, condition: Latent, part: Part) -> Weights:
        return self.weights(condition, part).float() / self.temperature


class GlobalLatentMask(LatentMask):
    """One W for all faces and times: aligned faces make the position meaningful."""

    def __init__(self, channels: int, side: int, temperature: int | float, initial: float) -> None:
        super().__init__(temperature, initial)
        self.weight = nn.Parameter(torch.full((channels, side, side), self._first_weight))

    def weights(self, condition: Latent, part: Part) -> Weights:
        """One for all; latents must have the shape of the mask."""
        return self.weight[None]


class AdaptiveLatentMask(LatentMask):
    """W from a small network of 3x3 convolutions, which sees the degraded face's latent and, as a plane, the time.

    ValueError unless there are at least two convolutions.
    """

    def __init__(self, size: LatentMaskSize, channels: int, temperature: int | float, initial: float) -> None:
        super().__init__(temperature, initial)
        if size.layers < 2:
            raise ValueError(f"an adaptive mask needs at least 2 layers, got {size.layers}")
        widths = [channels + 1, *[size.width] * (size.layers - 1)]
        hidden = [layer for a, b in pairwise(widths) for layer in (nn.Conv2d(a, b, 3, padding=1), nn.SiLU())]
        last = nn.Conv2d(size.width, channels, 3, padding=1)
        nn.init.zeros_(last.weight)
        last.bias = nn.Parameter(torch.full((channels,), self._first_weight))
        self.layers = nn.Sequential(*hidden, last)

    def weights(self, condition: Latent, part: Part) -> Weights:
        """W of every face; latents may have any side."""
        plane = part.to(condition).view(-1, 1, 1, 1).expand(-1, 1, *condition.shape[2:])
        return self.layers(torch.cat([condition, plane], dim=1))


def build_latent_mask(settings: Mapping[str, Any]) -> GlobalLatentMask | AdaptiveLatentMask:
    """The mask of a weights file's settings: `kind` (a name of `MASK_KINDS`), `channels`, `side`, `temperature`, `initial`
    and `latent_mask`, the fields of LatentMaskSize.

    Raises KeyError for a missing setting and ValueError for another kind.
    """
    kind, start = settings["kind"], (settings["temperature"], settings["initial"])
    if kind == "global":
        return GlobalLatentMask(settings["channels"], settings["side"], *start)
    if kind == "adaptive":
        return AdaptiveLatentMask(LatentMaskSize(**settings["latent_mask"]), settings["channels"], *start)
    raise ValueError(f"kind {kind!r} of a latent mask must be one of {', '.join(MASK_KINDS)}")


def _binary(soft: Latent) -> Latent:
    return (soft > 0.5).to(soft)


def _hard_concrete(logits: Weights, u: Latent) -> Latent:
    low, high = STRETCH
    concrete = torch.sigmoid((torch.logit(u.float()) + logits) / GATE_TEMPERATURE)
    return (low + (high - low) * concrete).clamp(0, 1)
