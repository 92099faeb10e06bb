"""Where the components of a training face are, by the means that its data allow (codeformer_plus_plus.md 6)."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from src.metric_learning.component_mask import landmark_mask, parsed_mask, part_mask, softened
from src.settings.codeformer_plus_plus import MetricLearningSettings
from src.stages.registration_pair import RegistrationPair
from src.stages.stage import Batch

Parse = Callable[[Tensor], Tensor]
"""Faces in [-1, 1] to CelebAMask-HQ's classes "b h w"."""


class ComponentMasks:
    """Soft masks "b 1 h w" in [0, 1], 1 on brows, eyes, glasses, nose and mouth.

    From the exact part map in the batch where there is one; else of the identity branch, from `parse` or from its landmarks,
    for which the FFHQ template stands in where none were found.
    """

    def __init__(self, settings: MetricLearningSettings, parse: Parse | None) -> None:
        self._settings, self._parse = settings, parse

    @torch.no_grad()
    def __call__(self, batch: Batch, pair: RegistrationPair) -> Float[Tensor, "b 1 h w"]:
        """The masks of a batch."""
        with torch.autocast(pair.identity.device.type, enabled=False):
            return softened(self._hard(batch, pair), self._settings.dilation, self._settings.feather)

    def _hard(self, batch: Batch, pair: RegistrationPair) -> Float[Tensor, "b 1 h w"]:
        if "parts" in batch:
            return part_mask(batch["parts"])
        if self._parse is not None:
            return parsed_mask(self._parse(pair.identity))
        points = pair.identity.new_full((len(pair.identity), 5, 2), torch.nan)
        if pair.landmarks is not None:
            # Array indices to pixels whose first covers [0, 1].
            points = pair.landmarks.fixed + 0.5
        return landmark_mask(points, *pair.identity.shape[-2:])
