"""A VQ autoencoder against a patch discriminator (codeformer.md 2.3), and the care for its codebook."""

from typing import Generic, TypeVar

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor
from torch.optim import Optimizer
from torch.profiler import record_function

from src.losses.perceptual import PerceptualLoss
from src.networks.codebook_health import CodebookHealth, histogram, restart_dead_codes
from src.networks.discriminator import PatchDiscriminator
from src.networks.k_means import k_means
from src.networks.vq_autoencoder import VqAutoencoder
from src.settings.clr_face import LatentVqganSettings
from src.settings.stages import VqganSettings
from src.stages.frozen import Frozen
from src.stages.image_objective import discriminator_loss, image_objective
from src.stages.stage import Batch, Stage
from src.stages.weight_average import WeightAverage

Autoencoder = TypeVar("Autoencoder", bound=VqAutoencoder)
Settings = TypeVar("Settings", VqganSettings, LatentVqganSettings)


class AutoencoderStage(Stage, Generic[Autoencoder, Settings]):
    """Trains encoder, codebook and generator on clean faces."""

    settings: Settings
    network: Autoencoder

    def __init__(
        self,
        settings: Settings,
        autoencoder: Autoencoder,
        discriminator: PatchDiscriminator,
        *,
        perceptual: PerceptualLoss | None,
        seed: int,
    ) -> None:
        super().__init__(settings.training, seed)
        self.settings = settings
        self.network = autoencoder
        self.discriminator = discriminator
        self.average = WeightAverage(self.network, settings.training.ema_decay)
        self.health = CodebookHealth(self.network.quantize.codebook_size, settings.codebook.window)
        self.perceptual = None if perceptual is None else Frozen(perceptual)

    def configure_optimizers(self) -> list[Optimizer]:
        """Adam for the autoencoder, Adam for the discriminator."""
        return [self.adam(self.network.parameters()), self.adam(self.discriminator.parameters())]

    @property
    def is_adversarial(self) -> bool:
        """True from the iteration after `adversarial_start`."""
        losses = self.settings.losses
        return losses.adversarial > 0 and self.iteration > losses.adversarial_start

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Generator step, weight average, discriminator step; before the first one the start of the codebook."""
        generator, critic = self.two_optimizers()
        faces = batch["hq"]
        if self.iteration == 1 and self.settings.codebook.start == "k_means":
            self._start_codebook(faces)
        with self.toggled_optimizer(generator):
            image, terms = self._generator_step(generator, faces)
        self.average.update(self.network)
        if self.is_adversarial:
            with record_function("discriminator"), self.toggled_optimizer(critic):
                objective = discriminator_loss(self.discriminator, faces, image)
                self.guard(objective.terms)
                self.descend(critic, objective.surrogate)
            terms |= objective.terms
        return terms

    def _generator_step(self, optimizer: LightningOptimizer, faces: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        codebook = self.settings.codebook
        out = self.network(faces, beta=codebook.beta)
        objective = image_objective(
            out.image,
            faces,
            settings=self.settings.losses,
            perceptual=self.perceptual.network if self.perceptual else None,
            discriminator=self.discriminator if self.is_adversarial else None,
            adaptive_layer=self.network.last_layer,
        )
        terms = objective.terms | {"codebook": out.codebook_loss.detach()}
        self.guard(terms)
        self.descend(optimizer, objective.surrogate + codebook.weight * out.codebook_loss)
        return out.image.detach(), terms | self._care_for_codebook(out.codes, out.latent)

    @torch.no_grad()
    def _start_codebook(self, faces: Tensor) -> None:
        """The codes, and those of the average, become the centres of the first batch's latents."""
        latent = self.network.encode(faces).float()
        self.require_finite({"latent": latent.mean()})
        points = latent.permute(0, 2, 3, 1).flatten(0, 2)
        centres = k_means(points, self.network.quantize.codebook_size, self._generator())
        # Those of rank 0, so that every rank writes the same entries.
        centres = self.trainer.strategy.broadcast(centres)
        for network in (self.network, self.average.network):
            network.quantize.embedding.weight.copy_(centres)

    @torch.no_grad()
    def _care_for_codebook(self, codes: Tensor, latent: Tensor) -> dict[str, Tensor]:
        counts = histogram(codes, self.network.quantize.codebook_size)
        self.health.update(self.trainer.strategy.reduce(counts, reduce_op="sum"))
        terms = {"codebook_usage": self.health.usage(), "codebook_perplexity": self.health.perplexity()}
        every = self.settings.codebook.restart_every
        if every and self.iteration % every == 0 and self.iteration < self.training_settings.iterations // 2:
            self._restart(latent)
        return terms

    def _restart(self, latent: Tensor) -> None:
        # Every rank must write the same entries: all draw from the latents of rank 0 with one seed.
        shared = self.trainer.strategy.broadcast(latent)
        if restart_dead_codes(self.network.quantize, self.health.dead(), shared, self._generator()):
            self.health.reset()

    def _generator(self) -> torch.Generator:
        """Draws that are functions of seed and iteration alone."""
        return torch.Generator().manual_seed(self.seed * 1_000_003 + self.iteration)

    @torch.no_grad()
    def preview(self, batch: Batch) -> dict[str, Tensor]:
        """The face and its reconstruction."""
        return {"face": batch["hq"], "reconstruction": self.average.network(batch["hq"]).image}
