"""CLR-Face: the latent of a degraded face is cleaned by a score model, led to an identity under a mask (clr_face.md 1)."""

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor, nn

from src.degradation.keyed import SampleKey
from src.diffusion.conditional_sampling import restored_latent
from src.diffusion.conditioned_denoiser import ConditionedDenoiser
from src.diffusion.sampler import Denoiser
from src.guidance.guided_denoiser import GuidedDenoiser
from src.guidance.identity_guide import IdentityGuide
from src.networks.identity_recovery import EmbeddingRecovery, IdentityRecovery
from src.restorers.clr_face_networks import ClrFaceNetworks, Faces, SeenFace
from src.restorers.face_noise import FaceNoise
from src.restorers.guidance_check import check_guidance
from src.restorers.guidance_mask import guidance_mask, needs_learned_mask
from src.restorers.guidance_tally import GuidanceTally
from src.restorers.guide_target import Oracle, target_embedding
from src.restorers.knobs import Knobs
from src.restorers.latent_chain import guided_evaluations, latent_chain, latent_sampler
from src.restorers.latent_sampling import LatentSampling
from src.restorers.precision import EXACT, Precision
from src.settings.errors import UserError


class ClrFaceRestorer:
    """z_lq = E_lq(y); the reverse process from pure noise, or from the noised z_lq; then G(q(z_0)) (`Restorer`).

    Noise and random masks depend on the seed and on the faces' keys alone. Unguided (scale 0), neither guide nor mask is
    evaluated. bf16 counts for score model and identity recovery; codes are decided by small margins, and guidance is
    computed in fp32.

    Raises:
        UserError: the solver does not fit the process, the process has no such `start` or `steps`, or guidance needs a
            network, or clean faces, that are not there.
    """

    name = "clr_face"

    def __init__(
        self,
        networks: ClrFaceNetworks,
        sampling: LatentSampling,
        precision: Precision = EXACT,
        oracle: Oracle | None = None,
    ) -> None:
        """`oracle` gives the clean faces for the target of that name."""
        sampling.check_process(networks.process_name)
        check_guidance(sampling.guidance, networks, oracle)
        self._networks, self._sampling, self._precision, self._oracle = networks, sampling, precision, oracle
        for network in networks.modules:
            precision.ordered(network)
        self._chain = latent_chain(networks.process, sampling)
        self._sampler = latent_sampler(networks.process, sampling)
        self._tally = GuidanceTally(self._sampler.evaluations(self._chain))
        self.image_size: int | None = networks.autoencoder.size.image_size

    @property
    def knobs(self) -> Knobs:
        """Those of the sampling."""
        return self._sampling.knobs

    @property
    def diagnostics(self) -> dict[str, float]:
        """What became of the guidance so far (`GuidanceTally.means`); empty without guidance and before the first face."""
        return self._tally.means

    @property
    def parameters(self) -> int:
        """Parameters of the networks at work: an unguided sampler has neither mask nor guide."""
        return sum(weight.numel() for module in self._at_work() for weight in module.parameters())

    @cached_property
    def network_evaluations(self) -> int:
        """Passes through score network, encoders, decoder, identity recovery and recogniser.

        Guidance costs the target's pass and two for each guided evaluation, through decoder and recogniser; their backward
        passes, and the adaptive mask's few convolutions, are not counted. A mask of zeros guides nowhere.
        """
        unguided = self._sampler.evaluations(self._chain) + 2
        return (
            unguided + self._recovers + self._sees_recovered_latent + (self._guiding_passes if self._is_guided else 0)
        )

    def restore(self, lq: Faces, keys: Sequence[int] = ()) -> Faces:
        """The restored faces, clamped to [-1, 1].

        Raises:
            ValueError: there is not a key for each face.
            UserError: the faces have another side than those that the networks were trained on.
        """
        if len(keys) != len(lq):
            raise ValueError(f"{len(keys)} keys for {len(lq)} faces: each face needs one, which its noise is made of")
        side = self.image_size
        if tuple(lq.shape[-2:]) != (side, side):
            raise UserError(
                f"size: clr_face was trained on faces of {side} x {side} px, not {lq.shape[-1]} x {lq.shape[-2]}; leave "
                "size out, or take a checkpoint of that size"
            )
        # A caller's inference mode would keep guidance from its gradients, also through faces that were made in it.
        with torch.inference_mode(False), torch.no_grad():
            return self._restored(lq.clone(), keys)

    def _restored(self, lq: Faces, keys: Sequence[int]) -> Faces:
        networks, seen = self._networks, self._seen(lq)
        channels, side = seen.latent.shape[1], seen.latent.shape[-1]
        noise = FaceNoise(self._sampling.seed, keys, side, lq.device, channels)
        condition = seen.condition if networks.sees_recovered else seen.latent
        denoiser: Denoiser = ConditionedDenoiser(networks.process, self._score, condition)
        guided = self._guided(denoiser, seen, keys) if self._is_guided else None
        z0 = restored_latent(networks.process, self._sampler, guided or denoiser, seen.latent, self._chain, noise)
        if guided is not None:
            self._tally.add(guided.counts)
        return self._decoded(z0)

    @property
    def _guiding_passes(self) -> int:
        guidance, networks = self._sampling.guidance, self._networks
        is_given = guidance.target == "recovered" and isinstance(networks.recovery, EmbeddingRecovery)
        of_target, of_edges = not is_given, guidance.mask == "edges"
        evaluations = guided_evaluations(networks.process, self._sampler, self._chain, guidance)
        return of_target + of_edges + (0 if guidance.mask == "zeros" else 2 * evaluations)

    @property
    def _is_guided(self) -> bool:
        return self._sampling.guidance.scale > 0

    @property
    def _sees_recovered_latent(self) -> bool:
        return self._networks.sees_recovered or (self._is_guided and self._sampling.guidance.constraint > 0)

    @property
    def _recovers(self) -> bool:
        return self._sees_recovered_latent or (self._is_guided and self._sampling.guidance.target == "recovered")

    def _seen(self, lq: Faces) -> SeenFace:
        networks = self._networks
        recovered = latent = None
        if self._recovers and isinstance(networks.recovery, IdentityRecovery):
            with self._precision.autocast(lq.device):
                recovered = networks.recovery(lq)
        if self._sees_recovered_latent and recovered is not None:
            latent = networks.autoencoder.latent_of(recovered)
        return SeenFace(lq, networks.encoder(lq), recovered, latent)

    def _score(self, state: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        with self._precision.autocast(state.device):
            return self._networks.score(state, time, condition).float()

    def _guided(self, denoiser: Denoiser, seen: SeenFace, keys: Sequence[int]) -> GuidedDenoiser:
        networks, guidance = self._networks, self._sampling.guidance
        assert networks.guide is not None
        guide = IdentityGuide(
            networks.guide.embed,
            networks.autoencoder.decoded,
            target_embedding(guidance.target, networks, seen, keys, self._oracle),
            seen.recovered_latent,
            guidance.constraint,
        )
        mask = guidance_mask(
            guidance.mask,
            networks.mask,
            seen.latent,
            lambda: self._decoded(seen.latent),
            seen.degraded.shape[-1],
            [SampleKey(self._sampling.seed, 0, key) for key in keys],
        )
        return GuidedDenoiser(denoiser, networks.process, guide, mask, guidance)

    def _decoded(self, z: Tensor) -> Faces:
        return self._networks.autoencoder.decoded(z).float().clamp(-1, 1)

    def _at_work(self) -> list[nn.Module]:
        networks = self._networks
        autoencoder = networks.autoencoder
        found: list[nn.Module | None] = [networks.encoder, networks.score, autoencoder.quantize, autoencoder.generator]
        found += [autoencoder.encoder] if self._sees_recovered_latent else []
        found += [networks.recovery] if self._recovers else []
        if self._is_guided:
            found.append(networks.guide)
            found += [networks.mask] if needs_learned_mask(self._sampling.guidance.mask) else []
        return [module for module in found if module is not None]
