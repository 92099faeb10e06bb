"""Registration by correlation volume and recurrent updates (codeformer_plus_plus.md 4, R7; RAFT, arXiv 2003.12039)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from src.registration.correlation_volume import CorrelationVolume
from src.registration.face_pair import PAIR_CHANNELS, face_pair
from src.registration.registered import Alignment, LandmarkPair, Registered
from src.registration.warp import pixel_grid, warped
from src.settings.codeformer_plus_plus import RegistrationMethod
from src.settings.scale import RecurrentRegistrationSize

BLEND = 0.5
"""Deviation of the Gaussian with which a new network blends the nine nearest cells, cells: nearly linear interpolation."""


def convex_upsampled(
    field: Float[Tensor, "b 2 h w"], logits: Float[Tensor, "b m h w"], factor: int
) -> Float[Tensor, "b 2 h_fine w_fine"]:
    """Field at `factor` times the resolution, in fine pixels: convex combinations of the 3 x 3 nearest cells.

    `logits` holds m = 9 factor^2 numbers a cell: neighbour (row by row), then row and column of the fine pixel in the cell.
    The border is repeated.
    """
    weights = logits.unflatten(1, (9, factor, factor)).softmax(1)
    cells = F.unfold(F.pad(factor * field, (1, 1, 1, 1), mode="replicate"), 3)
    cells = cells.unflatten(1, (2, 9)).unflatten(3, field.shape[-2:])
    return torch.einsum("bnyxhw,bcnhw->bchywx", weights, cells).flatten(4, 5).flatten(2, 3)


def _gaussian_logits(factor: int) -> Float[Tensor, " m"]:
    """Logits of `convex_upsampled` by the distance of a fine pixel from its nine cells."""
    place = (torch.arange(factor) + 0.5) / factor - 0.5
    along = -((torch.arange(-1, 2)[:, None] - place) ** 2) / (2 * BLEND**2)
    return (along[:, None, :, None] + along[None, :, None, :]).flatten()


class _ResidualBlock(nn.Module):
    """Halves the side; each face is normalised by itself, so that its contrast and colour do not matter."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False),
            nn.InstanceNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.InstanceNorm2d(width),
        )
        self.skip = nn.Conv2d(width, width, 1, stride=2)

    def forward(self, feature: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h_half w_half"]:
        return F.relu(self.residual(feature) + self.skip(feature))


class FeatureEncoder(nn.Module):
    """Features at 1 / downscale of the side. ValueError unless `downscale` is a power of 2, at least 2."""

    def __init__(self, channels: int, width: int, out_width: int, downscale: int) -> None:
        super().__init__()
        if downscale < 2 or downscale & (downscale - 1):
            raise ValueError(f"downscale {downscale} must be a power of 2, at least 2")
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=False),
            nn.InstanceNorm2d(width),
            nn.ReLU(),
            *(_ResidualBlock(width) for _ in range(downscale.bit_length() - 2)),
            nn.Conv2d(width, out_width, 1),
        )

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h_cells w_cells"]:
        """Unbounded features of faces in [-1, 1]."""
        return self.layers(image)


class ConvGru(nn.Module):
    """Gated recurrent unit with 3x3 convolutions (arXiv 2003.12039, equations 3 to 6)."""

    def __init__(self, hidden_width: int, input_width: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(hidden_width + input_width, 2 * hidden_width, 3, padding=1)
        self.candidate = nn.Conv2d(hidden_width + input_width, hidden_width, 3, padding=1)

    def forward(self, hidden: Float[Tensor, "b c h w"], given: Float[Tensor, "b d h w"]) -> Float[Tensor, "b c h w"]:
        """The next state, in [-1, 1] if `hidden` is."""
        update, reset = self.gates(torch.cat([hidden, given], 1)).sigmoid().chunk(2, 1)
        candidate = self.candidate(torch.cat([reset * hidden, given], 1)).tanh()
        return (1 - update) * hidden + update * candidate


def _head(width: int, kernel: int, start: Float[Tensor, " c"]) -> nn.Sequential:
    """Two convolutions that give `start` everywhere in a new network."""
    last = nn.Conv2d(width, len(start), kernel, padding=kernel // 2)
    nn.init.zeros_(last.weight)
    last.bias = nn.Parameter(start)
    return nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), last)


class FieldUpdate(nn.Module):
    """One step of the recurrence; `blend` gives the logits of `convex_upsampled` for a state."""

    def __init__(self, size: RecurrentRegistrationSize) -> None:
        super().__init__()
        width = size.hidden_width
        self.correlation = nn.Conv2d(size.levels * (2 * size.radius + 1) ** 2, width, 1)
        self.field = nn.Conv2d(2, width, 7, padding=3)
        self.motion = nn.Conv2d(2 * width, width, 3, padding=1)
        self.gru = ConvGru(width, 2 * width)
        self.change = _head(width, 3, torch.zeros(2))
        self.blend = _head(width, 1, _gaussian_logits(size.downscale))

    def forward(
        self,
        hidden: Float[Tensor, "b d h w"],
        context: Float[Tensor, "b d h w"],
        correlation: Float[Tensor, "b n h w"],
        field: Float[Tensor, "b 2 h w"],
    ) -> tuple[Float[Tensor, "b d h w"], Float[Tensor, "b 2 h w"]]:
        """The next state, and what is to be added to `field`, in cells: nothing in a new network."""
        motion = torch.cat([F.relu(self.correlation(correlation)), F.relu(self.field(field))], 1)
        hidden = self.gru(hidden, torch.cat([context, F.relu(self.motion(motion))], 1))
        return hidden, self.change(hidden)


class RecurrentRegistration(nn.Module):
    """A field that starts at zero and is updated from the correlations found where it points.

    In training there is one alignment an update, the i-th of N with weight decay^(N - i), and no gradient runs through the
    field from one update to the next; in eval mode there is the last alignment alone.
    """

    def __init__(self, size: RecurrentRegistrationSize, method: RegistrationMethod, decay: float) -> None:
        super().__init__()
        self.size, self.method, self.decay = size, method, decay
        channels = PAIR_CHANNELS[method.channels] // 2
        self.features = FeatureEncoder(channels, size.feature_width, size.feature_width, size.downscale)
        self.context = FeatureEncoder(channels, size.hidden_width, 2 * size.hidden_width, size.downscale)
        self.update = FieldUpdate(size)

    def forward(
        self, moving: Float[Tensor, "b 3 h w"], fixed: Float[Tensor, "b 3 h w"], landmarks: LandmarkPair | None = None
    ) -> Registered:
        """Faces in [-1, 1]; the smooth field of an alignment is the enlarged one, that of the faces.

        ValueError unless the sides are multiples of the downscale.
        """
        fields = self.fields(moving, fixed)
        alignments = tuple(
            Alignment(warped(moving, field), fixed, field, self.decay**remaining)
            for field, remaining in zip(fields, reversed(range(len(fields))), strict=True)
        )
        return Registered(alignments[-1].moved, fields[-1], alignments, {})

    def fields(
        self, moving: Float[Tensor, "b 3 h w"], fixed: Float[Tensor, "b 3 h w"]
    ) -> list[Float[Tensor, "b 2 h w"]]:
        """The field after each update, in eval mode after the last alone, in pixels of the faces."""
        self._check(fixed)
        moving, fixed = face_pair(moving, fixed, self.method.channels).chunk(2, 1)
        volume = self._volume(moving, fixed)
        hidden, context = self.context(fixed).chunk(2, 1)
        hidden, context = hidden.tanh(), context.relu()
        field = torch.zeros_like(hidden[:, :2])
        cells = pixel_grid(field.shape[2], field.shape[3], field)
        fields = []
        for step in range(self.method.updates):
            field = field.detach()
            found = volume.around(cells + field, self.size.radius)
            hidden, change = self.update(hidden, context, found, field)
            field = field + change
            if self.training or step == self.method.updates - 1:
                fields.append(convex_upsampled(field, self.update.blend(hidden), self.size.downscale))
        return fields

    def _volume(self, moving: Float[Tensor, "b c h w"], fixed: Float[Tensor, "b c h w"]) -> CorrelationVolume:
        """Features of both faces in one pass of one encoder."""
        fixed_feature, moving_feature = self.features(torch.cat([fixed, moving])).chunk(2)
        return CorrelationVolume(fixed_feature, moving_feature, self.size.levels)

    def _check(self, fixed: Float[Tensor, "b c h w"]) -> None:
        (height, width), stride = fixed.shape[-2:], self.size.downscale
        if height % stride or width % stride:
            raise ValueError(f"expected sides that are multiples of {stride}, got an image of {height} x {width}")
