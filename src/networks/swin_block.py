"""Transformer block on windows of tokens, and the residual group of which SwinIR is made (difface.md 2.3)."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from src.networks.window_attention import WindowAttention, from_windows, shifted_window_mask, to_windows


class Mlp(nn.Module):
    """Two linear layers with exact GELU between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Float[Tensor, "b h w c"]) -> Float[Tensor, "b h w c"]:
        """Tokens of the same shape."""
        return self.fc2(F.gelu(self.fc1(tokens)))


class SwinBlock(nn.Module):
    """Pre-norm attention in windows of a grid rolled by `shift` tokens, then an MLP.

    In training each of the two is left out for an image with probability `drop_path`, and scaled up where it stays.
    """

    attn_mask: Tensor | None

    def __init__(
        self, width: int, heads: int, hidden: int, *, grid: int, window: int, shift: int, drop_path: float
    ) -> None:
        super().__init__()
        self.grid = grid
        self.window = window
        self.shift = shift
        # Published files hold the mask of the grid that was trained on.
        self.register_buffer("attn_mask", shifted_window_mask(grid, grid, window, shift) if shift else None)
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, window)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, hidden)
        self.drop_path = StochasticDepth(drop_path, mode="row")

    def forward(self, tokens: Float[Tensor, "b h w c"]) -> Float[Tensor, "b h w c"]:
        """Tokens of the same shape; `window` divides h and w."""
        tokens = tokens + self.drop_path(self._attended(self.norm1(tokens)))
        return tokens + self.drop_path(self.mlp(self.norm2(tokens)))

    def _attended(self, tokens: Float[Tensor, "b h w c"]) -> Float[Tensor, "b h w c"]:
        rolled = tokens.roll((-self.shift, -self.shift), dims=(1, 2))
        windows = self.attn(to_windows(rolled, self.window), self._mask(tokens))
        attended = from_windows(windows, self.window, width=tokens.shape[2])
        return attended.roll((self.shift, self.shift), dims=(1, 2))

    def _mask(self, tokens: Float[Tensor, "b h w c"]) -> Float[Tensor, "m n n"] | None:
        height, width = tokens.shape[1:3]
        if not self.shift or height == width == self.grid:
            return self.attn_mask
        return shifted_window_mask(height, width, self.window, self.shift, tokens.device)


class ResidualGroup(nn.Module):
    """Transformer blocks closed by a 3x3 convolution, added to their input."""

    def __init__(self, blocks: list[SwinBlock], width: int) -> None:
        super().__init__()
        self.residual_group = nn.ModuleDict({"blocks": nn.Sequential(*blocks)})
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, tokens: Float[Tensor, "b h w c"]) -> Float[Tensor, "b h w c"]:
        """Tokens of the same shape."""
        hidden = self.residual_group["blocks"](tokens)
        return tokens + self.conv(hidden.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
