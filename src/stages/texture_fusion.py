"""CodeFormer++: texture of the generative face, fused into the identity-preserving one (codeformer_plus_plus.md 5 to 7)."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.profiler import record_function

from src.checkpoints.files import atomic_path, sha256_of
from src.checkpoints.network_file import save_network
from src.degradation.keyed import SampleKey
from src.losses.identity import IdentityLoss
from src.losses.image_similarity import Features
from src.losses.perceptual import PerceptualLoss
from src.metric_learning.contrast import metric_learning_loss
from src.metric_learning.feature_space import FeatureSpace
from src.networks.discriminator import PatchDiscriminator
from src.networks.texture_fusion import Fused, TextureFusion
from src.registration.objective import registration_loss
from src.registration.registered import Registered
from src.registration.texture_source import texture_source
from src.settings.codeformer_plus_plus import RegistrationSettings, TextureFusionSettings
from src.settings.scale import ScaleSettings
from src.stages.component_masks import ComponentMasks
from src.stages.frozen import Frozen
from src.stages.image_objective import ImageObjective, discriminator_loss, image_objective
from src.stages.registration import give_noise, save_registration
from src.stages.registration_pair import PairMaker, RegistrationPair
from src.stages.stage import Batch, Stage
from src.stages.weight_average import WeightAverage

DEFORMABLE = ("deformable_convolution", "flow_guided_deformable")
"""Alignments whose offsets have a penalty."""


@dataclass(frozen=True)
class FusionLosses:
    """Frozen networks and rules by which fused faces are judged; None where a term has no weight."""

    perceptual: PerceptualLoss | None
    identity: IdentityLoss | None
    features: FeatureSpace | None
    masks: ComponentMasks | None


@dataclass(frozen=True)
class FusionUpstream:
    """What the fusion is built on."""

    pairs: PairMaker
    registration: nn.Module
    registration_settings: RegistrationSettings
    files: Mapping[str, Path]
    """Weights files that restoring needs beside the two trained here, by the network's name."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """How the branches are made, for who restores."""
    similarity_features: Features | None = None
    """Of the registration's objective, where it compares features."""


class TextureFusionStage(Stage):
    """Trains the fusion network, and where `registration_rate` is positive the registration with it."""

    kind = "texture_fusion"

    def __init__(
        self,
        settings: TextureFusionSettings,
        scale: ScaleSettings,
        *,
        upstream: FusionUpstream,
        losses: FusionLosses,
        seed: int,
    ) -> None:
        super().__init__(settings.training, seed)
        self.settings, self.scale, self.upstream, self.masks = settings, scale, upstream, losses.masks
        self.network = TextureFusion(scale.texture_fusion, settings.injection, settings.alignment)
        self.registration = upstream.registration.requires_grad_(self.trains_registration)
        self.discriminator = PatchDiscriminator(scale.discriminator)
        self.average = WeightAverage(self.network, settings.training.ema_decay)
        self.registration_average = WeightAverage(self.registration, settings.training.ema_decay)
        self.pairs = upstream.pairs
        self.perceptual = None if losses.perceptual is None else Frozen(losses.perceptual)
        self.identity_loss = losses.identity
        self.features = losses.features
        # A module of the stage, so that it moves to the stage's device.
        self.similarity_features = upstream.similarity_features
        self._facts: dict[str, Tensor] = {}

    @property
    def trains_registration(self) -> bool:
        """Whether the registration learns too (the sheet's stage C)."""
        return self.settings.registration_rate > 0

    @property
    def is_adversarial(self) -> bool:
        """True from the iteration after `adversarial_start`."""
        losses = self.settings.losses
        return losses.adversarial > 0 and self.iteration > losses.adversarial_start

    def train(self, mode: bool = True) -> "TextureFusionStage":
        """A frozen registration stays in eval mode."""
        super().train(mode)
        self.registration.train(mode and self.trains_registration)
        return self

    def configure_optimizers(self) -> list[Optimizer]:
        """Adam with a rate of its own for offsets and registration, Adam for the discriminator."""
        offsets = list(self.network.offset_parameters())
        slow = {id(parameter) for parameter in offsets}
        rest = [parameter for parameter in self.network.parameters() if id(parameter) not in slow]
        registration = list(self.registration.parameters()) if self.trains_registration else []
        groups = [(rest, 1.0), (offsets, self.settings.offset_rate), (registration, self.settings.registration_rate)]
        return [self.adam_groups(groups), self.adam(self.discriminator.parameters())]

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Generator step, weight averages, discriminator step."""
        generator, critic = self.two_optimizers()
        with self.toggled_optimizer(generator):
            image, terms = self._generator_step(generator, batch)
        self.average.update(self.network)
        if self.trains_registration:
            self.registration_average.update(self.registration)
        if self.is_adversarial:
            with record_function("discriminator"), self.toggled_optimizer(critic):
                objective = discriminator_loss(self.discriminator, batch["hq"], image)
                self.guard(objective.terms)
                self.descend(critic, objective.surrogate)
            terms |= objective.terms
        return terms

    def _generator_step(self, optimizer: LightningOptimizer, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        pair = self.pairs(batch)
        registered, total, terms = self._registered(pair)
        fused = self._fused(self.network, pair, registered)
        objective = self._image_objective(fused.image, batch["hq"])
        total, terms = total + objective.surrogate, terms | objective.terms
        for name, weight, term in self._further_terms(fused, batch, pair, registered):
            total, terms = total + weight * term, terms | {name: term}
        self.guard(terms)
        self.descend(optimizer, total)
        return fused.image, {name: value.detach() for name, value in (terms | self._facts).items()}

    def _fused(self, network: TextureFusion, pair: RegistrationPair, registered: Registered) -> Fused:
        texture = texture_source(self.settings.alignment, pair.generative, registered)
        return network(pair.identity, texture, registered.field)

    def _registered(self, pair: RegistrationPair) -> tuple[Registered, Tensor, dict[str, Tensor]]:
        """The registration in float32; where it learns, with its own objective, so that it stays one."""
        with torch.autocast(self.device.type, enabled=False), torch.set_grad_enabled(self.trains_registration):
            if self.trains_registration:
                give_noise(self.registration, [SampleKey(self.seed, self.iteration, place) for place in self.places])
            registered = self.registration(pair.generative, pair.identity, pair.landmarks)
            if not self.trains_registration:
                return registered, pair.identity.new_zeros(()), {}
            loss, terms = registration_loss(
                registered,
                pair.generative,
                pair.identity,
                pair.landmarks,
                self.upstream.registration_settings.objective,
                progress=1.0,
                features=self.similarity_features,
            )
        return registered, loss, {f"registration_{name}": term for name, term in terms.items()}

    def _image_objective(self, image: Tensor, faces: Tensor) -> ImageObjective:
        return image_objective(
            image,
            faces,
            settings=self.settings.losses,
            perceptual=self.perceptual.network if self.perceptual else None,
            discriminator=self.discriminator if self.is_adversarial else None,
            adaptive_layer=self.network.adaptive_layer,
        )

    def _further_terms(
        self, fused: Fused, batch: Batch, pair: RegistrationPair, registered: Registered
    ) -> Iterator[tuple[str, float, Tensor]]:
        """Name, weight and value of the terms that are not image losses; keeps what else is to be logged in `_facts`."""
        self._facts = {}
        if fused.identity_share is not None:
            self._facts["identity_share"] = fused.identity_share.mean()
        if self.identity_loss is not None:
            yield "identity", self.settings.identity, self.identity_loss(fused.image, batch["hq"])
        if self.settings.alignment in DEFORMABLE:
            yield "alignment_penalty", self.settings.alignment_penalty, fused.alignment_penalty
        if self.features is not None and self.masks is not None:
            learning = self.settings.metric_learning
            faces = (fused.image, pair.identity, pair.generative, registered.warped.detach())
            loss, facts = metric_learning_loss(*faces, self.masks(batch, pair), self.features, learning)
            self._facts |= facts
            yield "metric_learning", learning.weight, loss

    @torch.no_grad()
    def preview(self, batch: Batch) -> dict[str, Tensor]:
        """The degraded face, both branches, the warped and the fused face, and the clean one."""
        pair = self.pairs(batch)
        registered = self.registration_average.network(pair.generative, pair.identity, pair.landmarks)
        fused = self._fused(self.average.network, pair, registered)
        branches = {"w=1 (identity)": pair.identity, "w=0 (generative)": pair.generative}
        return {
            "input": batch["lq"],
            **branches,
            "warped": registered.warped,
            "fused": fused.image.clamp(-1, 1),
            "face": batch["hq"],
        }

    def save_weights(self, folder: Path, facts: dict[str, str]) -> dict[str, str]:
        """Everything that restoring needs: fusion, registration, and copies of the networks that make the branches."""
        settings = self.upstream.registration_settings
        shape = {"injection": self.settings.injection, "alignment": self.settings.alignment}
        sizes = {self.kind: asdict(self.scale.texture_fusion), **shape}
        path, network = folder / f"{self.kind}.safetensors", self.average.network
        fused = save_network(path, self.kind, network, sizes, facts | dict(self.upstream.facts))
        registration = save_registration(folder, self.registration_average.network, settings, self.scale, facts)
        copied = {
            name: _copied(source, folder / f"{name}{source.suffix}") for name, source in self.upstream.files.items()
        }
        return {self.kind: fused, "registration": registration, **copied}


def _copied(source: Path, target: Path) -> str:
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
    return sha256_of(target)
