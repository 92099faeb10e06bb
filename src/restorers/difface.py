"""DifFace: a restored face is noised, and a prior of clean faces takes it back (difface.md 1)."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from src.diffusion.error_contraction import transition
from src.diffusion.inpainting import KnownPixels
from src.diffusion.sampler import Correction
from src.networks.srcnn import SrcnnSameResolution
from src.networks.swinir import SwinIr
from src.restorers.face_noise import FaceNoise
from src.restorers.knobs import Knobs
from src.restorers.partial_chain import chain_of, sampler_of
from src.restorers.precision import EXACT, Precision
from src.restorers.prior_file import LoadedPrior
from src.restorers.sampling import Sampling
from src.restorers.tiled_denoiser import TiledDenoiser
from src.settings.errors import UserError

Faces = Float[Tensor, "b 3 h w"]


class BackboneRestorer:
    """The restoration backbone alone: what DifFace starts from (`Restorer`; difface.md 2.3)."""

    name = "difface_backbone"
    network_evaluations = 1
    knobs: Knobs

    def __init__(
        self, network: SwinIr | SrcnnSameResolution, image_size: int | None, precision: Precision = EXACT
    ) -> None:
        precision.ordered(network)
        self._network = network
        self._precision = precision
        self.image_size = image_size
        self.knobs = {}

    @property
    def parameters(self) -> int:
        """Parameters of the backbone."""
        return sum(parameter.numel() for parameter in self._network.parameters())

    @torch.inference_mode()
    def restore(self, lq: Faces, keys: Sequence[int] = ()) -> Faces:
        """The estimate f(y), clamped to [-1, 1]; the network itself works on [0, 1].

        Raises:
            UserError: the network does not take faces of this side.
        """
        refuse_side(lq, self._network.stride, "the restoration backbone")
        with self._precision.autocast(lq.device):
            estimate = self._network((lq + 1) / 2)
        return estimate.float().clamp(0, 1) * 2 - 1


def refuse_side(faces: Faces, stride: int, network: str) -> None:
    """Raises UserError unless the faces are square and their side is a multiple of `stride`."""
    height, width = faces.shape[-2:]
    if height != width or width % stride:
        raise UserError(f"size: {network} takes square faces of a multiple of {stride} px, not {width} x {height}")


class DifFaceRestorer:
    """The backbone's estimate, noised to step N = `start`, and brought back by the prior in `steps` evaluations.

    With `convention` published and DDIM, the published pipeline for faces of the prior's size (difface.md 1.4). Noise
    depends on the seed and on the faces' keys alone.

    Raises:
        UserError: the prior's process has no such `start`, or its network no such `tile`.
    """

    name = "difface"
    image_size: int | None

    def __init__(
        self,
        prior: LoadedPrior,
        backbone: BackboneRestorer,
        sampling: Sampling,
        precision: Precision = EXACT,
    ) -> None:
        precision.ordered(prior.network)
        self._prior, self._backbone, self._sampling, self._precision = prior, backbone, sampling, precision
        self._chain = chain_of(prior.schedule, sampling)
        self._sampler = sampler_of(prior.schedule, sampling)
        self._denoiser = self._predict if sampling.tile is None else self._tiled(sampling.tile)
        self.image_size = None if sampling.tile is not None else prior.network.size.image_size

    @property
    def knobs(self) -> Knobs:
        """Solver, start, steps, eta and seed."""
        return self._sampling.knobs

    @property
    def parameters(self) -> int:
        """Parameters of prior and backbone."""
        return self._backbone.parameters + sum(weight.numel() for weight in self._prior.network.parameters())

    @property
    def network_evaluations(self) -> int:
        """One of the backbone and those of the prior."""
        return self._backbone.network_evaluations + len(self._chain)

    @torch.inference_mode()
    def restore(self, lq: Faces, keys: Sequence[int] = ()) -> Faces:
        """The restored faces, clamped to [-1, 1].

        Raises:
            ValueError: there is not a key for each face.
            UserError: the networks do not take faces of this side.
        """
        return self._sampled(self._backbone.restore(lq, keys), keys, None)

    def _sampled(self, estimate: Faces, keys: Sequence[int], correct: Correction | None) -> Faces:
        if len(keys) != len(estimate):
            raise ValueError(
                f"{len(keys)} keys for {len(estimate)} faces: each face needs one, which its noise is made of"
            )
        if self._sampling.tile is None:
            refuse_side(estimate, self._prior.network.stride, "the diffusion prior")
        noise = FaceNoise(self._sampling.seed, keys, estimate.shape[-1], estimate.device)
        state = transition(self._prior.schedule, estimate, self._chain.start, noise.draw(0))
        return self._sampler.sample(self._denoiser, state, self._chain, noise, correct).clamp(-1, 1)

    def _tiled(self, tile: int) -> TiledDenoiser:
        stride = self._prior.network.stride
        if tile % stride:
            raise UserError(f"sampling.tile: {tile} is no multiple of {stride}, which this prior needs")
        return TiledDenoiser(self._predict, tile)

    def _predict(self, state: Tensor, timestep: Tensor) -> Tensor:
        with self._precision.autocast(state.device):
            return self._prior(state, timestep)


class DifFaceInpaintingRestorer(DifFaceRestorer):
    """Fills the exactly black pixels of a face and keeps every other as it is (difface.md 1.5).

    Each estimate of the clean face takes the known pixels before it is used. The published estimator, LaMa, is not part
    of this suite, nor is a recipe that paints black: a backbone that fills has to come from elsewhere.
    """

    name = "difface_inpainting"

    @torch.inference_mode()
    def restore(self, lq: Faces, keys: Sequence[int] = ()) -> Faces:
        """The input with its black pixels filled."""
        missing: Bool[Tensor, "b 1 h w"] = (lq == -1).all(dim=1, keepdim=True)
        estimate = self._backbone.restore(lq, keys)
        filled = self._sampled(estimate, keys, KnownPixels(lq, missing.float()))
        return torch.where(missing, filled, lq)
