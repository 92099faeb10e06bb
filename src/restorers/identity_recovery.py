"""CLR-Face's Identity Recovery Network as a restorer: right about the person rather than pretty (clr_face.md 5)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from src.networks.identity_recovery import IdentityRecovery
from src.networks.restoration_unet import RestorationUnet
from src.networks.swinir import SwinIr
from src.restorers.difface import refuse_side
from src.restorers.knobs import Knobs
from src.restorers.precision import EXACT, Precision

Faces = Float[Tensor, "b 3 h w"]


class IdentityRecoveryRestorer:
    """The recovered faces (`Restorer`)."""

    name = "identity_recovery"
    network_evaluations = 1

    def __init__(self, network: SwinIr | RestorationUnet, precision: Precision = EXACT) -> None:
        precision.ordered(network)
        self._recovery, self._stride, self._precision = IdentityRecovery(network), network.stride, precision
        self.image_size: int | None = network.size.image_size if isinstance(network, SwinIr) else None
        self.knobs: Knobs = {}

    @property
    def parameters(self) -> int:
        """Parameters of the network."""
        return sum(weight.numel() for weight in self._recovery.parameters())

    @torch.inference_mode()
    def restore(self, lq: Faces, keys: Sequence[int] = ()) -> Faces:
        """The recovered faces in [-1, 1].

        Raises:
            UserError: the network does not take faces of this side.
        """
        refuse_side(lq, self._stride, "the identity recovery")
        with self._precision.autocast(lq.device):
            return self._recovery(lq)
