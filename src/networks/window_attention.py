"""Self-attention in windows of a token grid (difface.md 2.3; Liu et al., "Swin Transformer", 3.2)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Num
from torch import Tensor, nn

HIDDEN = -100.0
"""Added to the attention between tokens that a cyclic shift has brought together from opposite borders."""
BIAS_STD = 0.02
"""Standard deviation of the relative position bias of a new network."""


def to_windows(tokens: Num[Tensor, "b h w c"], side: int) -> Num[Tensor, "b m n c"]:
    """The m windows of side x side tokens, in row-major order as the n tokens in each; `side` divides h and w."""
    return tokens.unflatten(2, (-1, side)).unflatten(1, (-1, side)).transpose(2, 3).flatten(3, 4).flatten(1, 2)


def from_windows(windows: Float[Tensor, "b m n c"], side: int, width: int) -> Float[Tensor, "b h {width} c"]:
    """The inverse of `to_windows`, for a grid that is `width` tokens wide."""
    grid = windows.unflatten(2, (side, side)).unflatten(1, (-1, width // side))
    return grid.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def shifted_window_mask(
    height: int, width: int, side: int, shift: int, device: torch.device | None = None
) -> Float[Tensor, "m n n"]:
    """What is added to the attention in the windows of a grid that was rolled by `shift` tokens up and to the left.

    0 between tokens that were neighbours before the roll, `HIDDEN` between those from opposite borders of the image.
    """
    rows, columns = (_parts(length, side, shift, device) for length in (height, width))
    regions = to_windows((3 * rows[:, None] + columns)[None, :, :, None], side)[0, :, :, 0]
    return HIDDEN * (regions[:, :, None] != regions[:, None, :]).float()


def _parts(length: int, side: int, shift: int, device: torch.device | None) -> Int[Tensor, " {length}"]:
    """Part of a rolled axis to which a token belongs: 2 if it came from the other border, 1 in the rest of that window."""
    places = torch.arange(length, device=device)
    return (places >= length - side).long() + (places >= length - shift).long()


def relative_position_index(side: int) -> Int[Tensor, "n n"]:
    """Row of the bias table for each pair of a window's n = side^2 tokens: (dy + side - 1)(2 side - 1) + dx + side - 1."""
    places = torch.arange(side**2)
    rows, columns = places // side, places % side
    down, right = (axis[:, None] - axis[None, :] + side - 1 for axis in (rows, columns))
    return down * (2 * side - 1) + right


class WindowAttention(nn.Module):
    """Multi-head self-attention in each window, with a learned bias by relative position.

    ValueError unless `heads` divides `width`.
    """

    relative_position_index: Tensor

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"heads {heads} must divide width {width}")
        self.heads = heads
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=BIAS_STD)
        self.register_buffer("relative_position_index", relative_position_index(window))
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(
        self, windows: Float[Tensor, "b m n c"], mask: Float[Tensor, "m n n"] | None = None
    ) -> Float[Tensor, "b m n c"]:
        """Windows of the same shape; `mask` is added to the attention of all heads."""
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)
        bias = bias.expand(windows.shape[1], -1, -1, -1) if mask is None else bias + mask[:, None]
        qkv = self.qkv(windows).unflatten(3, (3, self.heads, -1)).permute(3, 0, 1, 4, 2, 5)
        # Windows and heads in one dimension, because the fused kernels take four.
        query, key, value = qkv.flatten(2, 3)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.flatten(0, 1)[None].to(query.dtype))
        return self.proj(attended.unflatten(1, (-1, self.heads)).transpose(2, 3).flatten(3))
