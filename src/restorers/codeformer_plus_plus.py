"""CodeFormer++: the generative face is registered to the identity-preserving one, and its texture fused into that."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from src.networks.codeformer_branches import Branches, CodeFormerBranches, Generative
from src.networks.texture_fusion import Fused, TextureFusion
from src.registration.registered import LandmarkPair, Registered
from src.registration.texture_source import texture_source, whole_registration
from src.restorers.branch_recipe import PluggedGenerative
from src.restorers.knobs import Knobs
from src.restorers.precision import EXACT, Precision

Faces = Float[Tensor, "b 3 h w"]


@dataclass(frozen=True)
class PlusPlusNetworks:
    """The trained system, all of it on one device and in eval mode."""

    branches: CodeFormerBranches
    registration: nn.Module
    method: str
    """Kind of the registration."""
    finder: Callable[[Tensor], Tensor] | None
    """Finds landmarks, for registrations that need them."""
    fusion: TextureFusion
    injection: str
    alignment: str

    def registered(self, branches: Branches) -> Registered:
        """The generative face on the identity-preserving one's grid."""
        return self.registration(branches.generative, branches.identity, self.landmarks(branches))

    def landmarks(self, branches: Branches) -> LandmarkPair | None:
        """Of both faces, where the registration needs them."""
        if self.finder is None:
            return None
        return LandmarkPair(moving=self.finder(branches.generative), fixed=self.finder(branches.identity))

    def fused(self, branches: Branches, registered: Registered) -> Fused:
        """What the fusion network makes of both."""
        texture = texture_source(self.alignment, branches.generative, registered)
        return self.fusion(branches.identity, texture, registered.field)

    def whole_registration(self, branches: Branches, registered: Registered, fused: Fused) -> Registered:
        """The registration with what an alignment of features moves beside it."""
        return whole_registration(self.alignment, branches.generative, registered, fused.alignment_field)


class CodeFormerPlusPlusRestorer:
    """The whole system (`Restorer`; codeformer_plus_plus.md 1)."""

    name = "codeformer_plus_plus"

    def __init__(self, networks: PlusPlusNetworks, precision: Precision = EXACT) -> None:
        self._networks, self._precision = networks, precision
        for network in (networks.branches, networks.registration, networks.fusion):
            precision.ordered(network)
        self.image_size: int | None = networks.branches.network.size.image_size

    @property
    def network_evaluations(self) -> int:
        """CodeFormer, whose generator runs twice, registration and fusion; and those of another maker of I_G."""
        return 3 + _cost_of_other(self._networks.branches)[1]

    @property
    def knobs(self) -> Knobs:
        """How it is built; nothing can be set once it is trained."""
        system = self._networks
        return {"registration": system.method, "injection": system.injection, "alignment": system.alignment}

    @property
    def parameters(self) -> int:
        """Parameters of CodeFormer, registration and fusion, of a landmark detector and of another maker of I_G."""
        system = self._networks
        modules = [system.branches.network, system.registration, system.fusion]
        modules += [system.finder] if isinstance(system.finder, nn.Module) else []
        own = sum(weight.numel() for module in modules for weight in module.parameters())
        return own + _cost_of_other(system.branches)[0]

    @torch.inference_mode()
    def restore(self, lq: Faces, keys: Sequence[int] = ()) -> Faces:
        """The restored faces, clamped to [-1, 1]; keys matter where the generative branch draws."""
        branches = self._branches(lq, keys)
        # Places and correlations want float32.
        registered = self._networks.registered(branches)
        with self._precision.autocast(lq.device):
            fused = self._networks.fused(branches, registered)
        return fused.image.float().clamp(-1, 1)

    def _branches(self, lq: Faces, keys: Sequence[int]) -> Branches:
        with self._precision.autocast(lq.device):
            return self._networks.branches(lq, keys)


class BranchRestorer:
    """One branch alone, or the mean of both pixel by pixel: what CodeFormer++ has to beat (`Restorer`; sheet, A1)."""

    def __init__(self, name: str, make: Generative, cost: tuple[int, int], image_size: int) -> None:
        self.name = name
        self._make = make
        self.parameters, self.network_evaluations = cost
        self.image_size: int | None = image_size
        self.knobs: Knobs = {}

    @torch.inference_mode()
    def restore(self, lq: Faces, keys: Sequence[int] = ()) -> Faces:
        """The branch on 8-bit levels, or the mean of both."""
        return self._make(lq, keys)


def branch_restorers(branches: CodeFormerBranches) -> tuple[BranchRestorer, ...]:
    """Both branches and their mean."""
    side = branches.network.size.image_size
    own = sum(weight.numel() for weight in branches.network.parameters()), 1
    other = _cost_of_other(branches)
    both = own[0] + other[0], own[1] + other[1]

    def average(lq: Tensor, keys: Sequence[int]) -> Tensor:
        made = branches(lq, keys)
        return (made.identity + made.generative) / 2

    return (
        BranchRestorer("identity_branch", lambda lq, _: branches.identity_alone(lq), own, side),
        BranchRestorer("generative_branch", branches.generative_alone, other if branches.generative else own, side),
        BranchRestorer("branch_average", average, both, side),
    )


def _cost_of_other(branches: CodeFormerBranches) -> tuple[int, int]:
    """Parameters and network evaluations of another maker of I_G than CodeFormer."""
    if not isinstance(branches.generative, PluggedGenerative):
        return 0, 0
    restorer = branches.generative.restorer
    return restorer.parameters, restorer.network_evaluations
