"""Alignment by local attention, a soft correspondence (codeformer_plus_plus.md 4, R8; TTSR, arXiv 2006.04139)."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from src.networks.feature_alignment import Aligned

BLOCK = 8
"""Side of the square of queries that share one block of keys."""
START = 0.99
"""Least share of a position's own feature in the output of a new network."""


class Attended(NamedTuple):
    """What attention read, and where."""

    feature: Float[Tensor, "b d h w"]
    displacement: Float[Tensor, "b 2 h w"]
    """Expected (dx, dy) from a query to what it read, pixels."""


def attend_locally(
    query: Float[Tensor, "b c h w"],
    key: Float[Tensor, "b c h w"],
    value: Float[Tensor, "b d h w"],
    *,
    window: int,
    centre_bias: Float[Tensor, ""],
    block: int = BLOCK,
) -> Attended:
    """out(p) = sum_q softmax(<query(p), key(q)> + centre_bias [q = p]) value(q), q in the window around p and the image.

    Squares of `block` x `block` queries are compared with all keys that any of them needs (HaloNet, arXiv 2103.12731), so
    that memory grows with (1 + window / block)^2 copies of keys and values, not with window^2.
    """
    size = (query.shape[2], query.shape[3])
    queries = _blocks(query, block, 1)
    keys, values = _blocks(key, block, window), _blocks(value, block, window)
    offset = _offsets(block, window, query.device)
    logits = torch.einsum("bcqn,bckn->bnqk", queries, keys) + centre_bias * (offset == 0).all(0)
    readable = (offset.abs() <= window // 2).all(0) & _exists(size, block, window, query.device)[:, None]
    # Not -inf: a query of the padding may have nothing to read, and NaN would spoil the gradient of the others.
    weights = logits.masked_fill(~readable, torch.finfo(logits.dtype).min).softmax(3)
    feature = torch.einsum("bnqk,bdkn->bdqn", weights, values)
    displacement = torch.einsum("bnqk,cqk->bcqn", weights, offset.to(weights.dtype))
    return Attended(_unblocked(feature, size, block), _unblocked(displacement, size, block))


def _blocks(image: Float[Tensor, "b c h w"], block: int, window: int) -> Float[Tensor, "b c k n"]:
    """The n squares of block + window - 1 pixels a side around blocks of an image, padded by zeros to whole blocks."""
    height, width = image.shape[-2:]
    whole = F.pad(image, (0, -width % block, 0, -height % block))
    return F.unfold(whole, block + window - 1, padding=window // 2, stride=block).unflatten(1, (image.shape[1], -1))


def _unblocked(blocks: Float[Tensor, "b c k n"], size: tuple[int, int], block: int) -> Float[Tensor, "b c h w"]:
    """The inverse of `_blocks` with window 1."""
    height, width = size
    whole = (height + -height % block, width + -width % block)
    return F.fold(blocks.flatten(1, 2), whole, block, stride=block)[:, :, :height, :width]


def _exists(size: tuple[int, int], block: int, window: int, device: torch.device) -> Bool[Tensor, "n k"]:
    """Which keys of each block are in the image."""
    return _blocks(torch.ones(1, 1, *size, device=device), block, window)[0, 0].mT > 0


def _offsets(block: int, window: int, device: torch.device) -> Int[Tensor, "2 q k"]:
    """(dx, dy) from each query of a block to each of its keys."""
    query = torch.arange(block, device=device)
    along = torch.arange(block + window - 1, device=device) - window // 2 - query[:, None]
    dx, dy = torch.broadcast_tensors(along[None, :, None, :], along[:, None, :, None])
    return torch.stack([dx, dy]).flatten(1, 2).flatten(2)


class LocalAttention(nn.Module):
    """Queries of the fixed, keys and values of the moving features, compared in a window around each position.

    A new one returns the moving features but for 1 % or less of the mean of their neighbours: queries are 0, values the
    features, and a learned bias favours the centre. `temperature` is sqrt(channels) by default.

    ValueError for an even window.
    """

    def __init__(self, channels: int, window: int, temperature: int | float | None = None) -> None:
        super().__init__()
        if window < 1 or window % 2 == 0:
            raise ValueError(f"window {window} must be odd and positive")
        self.window = window
        self.temperature = channels**0.5 if temperature is None else temperature
        self.query = nn.Conv2d(channels, channels, 1)
        self.key = nn.Conv2d(channels, channels, 1, bias=False)  # its bias would cancel in the softmax
        self.value = nn.Conv2d(channels, channels, 1)
        self.centre_bias = nn.Parameter(torch.tensor(math.log(START / (1 - START) * max(window**2 - 1, 1))))
        for parameter in (*self.query.parameters(), *self.value.parameters()):
            nn.init.zeros_(parameter)
        nn.init.dirac_(self.value.weight)

    def forward(
        self,
        moving_feature: Float[Tensor, "b c h w"],
        fixed_feature: Float[Tensor, "b c h w"],
        field: Float[Tensor, "b 2 h w"] | None = None,
    ) -> Aligned:
        """Aligned features; the implied field is the expected displacement, the penalty 0; `field` is not needed."""
        query, key = self.query(fixed_feature) / self.temperature, self.key(moving_feature)
        value = self.value(moving_feature)
        attended = attend_locally(query, key, value, window=self.window, centre_bias=self.centre_bias)
        return Aligned(attended.feature, attended.displacement, moving_feature.new_zeros(()))
