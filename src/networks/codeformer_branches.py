"""The two faces that CodeFormer++ fuses, from one pass of encoder and Transformer (codeformer_plus_plus.md 1 and 2)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from src.networks.codeformer import CodeFormer, CodePrediction

Image = Float[Tensor, "b 3 h w"]
Generative = Callable[[Tensor, Sequence[int]], Tensor]
"""Another maker of I_G: degraded faces in [-1, 1] and a number for each, of which its noise is made, to restored ones."""


class Branches(NamedTuple):
    """Both on 8-bit levels in [-1, 1], so that kept on disk they are the same."""

    identity: Float[Tensor, "b 3 h w"]
    """I_F: keeps the person, lacks texture."""
    generative: Float[Tensor, "b 3 h w"]
    """I_G: has texture, drifts from the person."""


def on_levels(image: Image) -> Image:
    """Faces in [-1, 1] (clamped) rounded to 256 levels, float32."""
    return ((image.float().clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


class CodeFormerBranches(nn.Module):
    """Makes both faces, frozen and in eval mode for good.

    I_F is CodeFormer's at `identity_fidelity`; I_G its own at `generative_fidelity`, from the same codes, or that of
    `generative`.
    """

    def __init__(
        self,
        network: CodeFormer,
        *,
        identity_fidelity: float | int,
        generative_fidelity: float | int,
        adain: bool,
        generative: Generative | None = None,
    ) -> None:
        super().__init__()
        self.network = network.requires_grad_(False).eval()
        self.fidelities = (identity_fidelity, generative_fidelity)
        self.adain = adain
        self.generative = generative

    def train(self, mode: bool = True) -> "CodeFormerBranches":
        """Stay in eval mode."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, lq: Image, keys: Sequence[int]) -> Branches:
        """Both faces of degraded ones in [-1, 1]; `keys` is a number for each face, for a maker of I_G that draws."""
        prediction = self.network.predict_codes(lq, with_features=True)
        kept = self._decoded(prediction, self.fidelities[0])
        if self.generative is not None:
            return Branches(kept, on_levels(self.generative(lq, keys)))
        return Branches(kept, self._decoded(prediction, self.fidelities[1]))

    @torch.no_grad()
    def identity_alone(self, lq: Image) -> Image:
        """I_F."""
        return self._decoded(self.network.predict_codes(lq, with_features=True), self.fidelities[0])

    @torch.no_grad()
    def generative_alone(self, lq: Image, keys: Sequence[int]) -> Image:
        """I_G."""
        if self.generative is not None:
            return on_levels(self.generative(lq, keys))
        return self._decoded(self.network.predict_codes(lq, with_features=True), self.fidelities[1])

    def _decoded(self, prediction: CodePrediction, fidelity: float | int) -> Image:
        return on_levels(self.network.generate(prediction, float(fidelity), self.adain))
