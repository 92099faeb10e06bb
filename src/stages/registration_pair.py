"""What the stages of CodeFormer++ train on: both branches of every face, with landmarks where they are needed."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from src.metrics.face_landmarks import LandmarkFinder
from src.networks.codeformer_branches import Branches, CodeFormerBranches
from src.registration.registered import LandmarkPair
from src.stages.stage import Batch


class RegistrationPair(NamedTuple):
    """A generative face, the face that it is to fit, and the landmarks of both."""

    generative: Float[Tensor, "b 3 h w"]
    identity: Float[Tensor, "b 3 h w"]
    landmarks: LandmarkPair | None


class PairMaker(nn.Module):
    """Takes the branches from the batch where they are kept, else makes them of the degraded faces."""

    def __init__(self, branches: CodeFormerBranches, finder: LandmarkFinder | None) -> None:
        super().__init__()
        self.branches = branches
        self.finder = finder

    @torch.no_grad()
    def forward(self, batch: Batch) -> RegistrationPair:
        """The pair of every face of a batch; float32 whatever the precision of the training, as kept branches are."""
        with torch.autocast(next(self.parameters()).device.type, enabled=False):
            return self._made(batch)

    def _made(self, batch: Batch) -> RegistrationPair:
        if "identity_branch" in batch:
            made = Branches(batch["identity_branch"].float(), batch["generative_branch"].float())
        else:
            made = self.branches(batch["lq"], self._keys(batch))
        return RegistrationPair(made.generative, made.identity, self._landmarks(batch, made))

    def _keys(self, batch: Batch) -> list[int]:
        # Without a maker that draws they are not read, and the host need not wait for them.
        if "index" in batch and self.branches.generative is not None:
            return batch["index"].tolist()
        return list(range(len(batch["lq"])))

    def _landmarks(self, batch: Batch, made: Branches) -> LandmarkPair | None:
        if self.finder is None:
            return None
        if "branch_landmarks" in batch:
            identity, generative = batch["branch_landmarks"].unbind(1)
            return LandmarkPair(moving=generative, fixed=identity)
        return LandmarkPair(moving=self.finder(made.generative), fixed=self.finder(made.identity))
