"""Stage III: controllable feature transformation, jointly with code prediction (codeformer.md 2.3)."""

from collections.abc import Iterator
from pathlib import Path

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.profiler import record_function

from src.checkpoints.network_file import save_network
from src.degradation.keyed import SampleKey, keyed_uniforms, stream_number
from src.losses.perceptual import PerceptualLoss
from src.networks.codeformer import CodeFormer, Generated
from src.networks.discriminator import PatchDiscriminator
from src.networks.vq_autoencoder import VqAutoencoder
from src.settings.scale import ScaleSettings
from src.settings.schedule import is_image_iteration, phase_of
from src.settings.stages import CftSettings
from src.stages.code_predictor import code_objective, code_terms, target_codes
from src.stages.codeformer_weights import codeformer_sizes, with_fusion
from src.stages.frozen import Frozen
from src.stages.image_objective import discriminator_loss, image_objective
from src.stages.stage import Batch, Stage
from src.stages.weight_average import WeightAverage


class CftStage(Stage):
    """Image losses train the fusion blocks only, code losses train encoder and Transformer only.

    On image iterations the input has the small degradation, on the others the large one and only codes are predicted.
    """

    kind = "cft"

    def __init__(
        self,
        settings: CftSettings,
        scale: ScaleSettings,
        *,
        vqgan: VqAutoencoder,
        predictor: CodeFormer,
        discriminator: PatchDiscriminator,
        perceptual: PerceptualLoss | None,
        seed: int,
    ) -> None:
        super().__init__(settings.training, seed)
        self.settings, self.scale = settings, scale
        self.vqgan = Frozen(vqgan)
        self.network = with_fusion(predictor, scale, settings.fused_sizes)
        self.network.freeze_decoder()
        self.discriminator = discriminator.requires_grad_().train()
        self.average = WeightAverage(self.network, settings.training.ema_decay)
        self.perceptual = None if perceptual is None else Frozen(perceptual)

    def configure_optimizers(self) -> list[Optimizer]:
        """Adam for the network, Adam for the discriminator."""
        return [self.adam(self._trained()), self.adam(self.discriminator.parameters())]

    def _trained(self) -> Iterator[nn.Parameter]:
        yield from self.network.code_parameters()
        yield from self.network.fusion_parameters()

    @property
    def is_adversarial(self) -> bool:
        """True from the iteration after `adversarial_start`."""
        losses = self.settings.image_losses
        return losses.adversarial > 0 and self.iteration > losses.adversarial_start

    @property
    def takes_image_losses(self) -> bool:
        """True on image iterations; never without fusion blocks, since nothing else learns from the image."""
        return bool(self.settings.fused_sizes) and is_image_iteration(self.settings.phases, self.iteration)

    def training_fidelity(self) -> float:
        """Fidelity w of this iteration."""
        if self.settings.training_fidelity == "fixed":
            return phase_of(self.settings.phases, self.iteration).fidelity
        low, high = self.settings.sampled_fidelity
        share = keyed_uniforms(SampleKey(self.seed, 0, self.iteration), stream_number("fidelity"), 1)[0]
        return low + (high - low) * float(share)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Generator step, weight average, discriminator step on image iterations."""
        generator, critic = self.two_optimizers()
        with self.toggled_optimizer(generator):
            image, terms = self._generator_step(generator, batch)
        self.average.update(self.network)
        if image is not None and self.is_adversarial:
            with record_function("discriminator"), self.toggled_optimizer(critic):
                objective = discriminator_loss(self.discriminator, batch["hq"], image)
                self.guard(objective.terms)
                self.descend(critic, objective.surrogate)
            terms |= objective.terms
        return terms

    def _generator_step(self, optimizer: LightningOptimizer, batch: Batch) -> tuple[Tensor | None, dict[str, Tensor]]:
        with torch.no_grad():
            codes = target_codes(batch, self.vqgan.network)
            target = self.network.quantize.lookup(codes)
        on_image = self.takes_image_losses
        prediction = self.network.predict_codes(batch["lq"], with_features=on_image)
        terms = code_terms(prediction, codes, target)
        made = None
        if on_image:
            made = self.network.generate_fused(prediction, self.training_fidelity(), self.settings.adain)
        total = code_objective(terms, self.settings.code_losses)
        if made is not None and made.image.requires_grad:
            surrogate, image_terms = self._image_objective(made, batch["hq"])
            total, terms = total + surrogate, terms | image_terms
        self.guard(terms)
        self.descend(optimizer, total)
        image = None if made is None else made.image.detach()
        return image, {name: value.detach() for name, value in terms.items()}

    def _image_objective(self, made: Generated, faces: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return image_objective(
            made.image,
            faces,
            settings=self.settings.image_losses,
            perceptual=self.perceptual.network if self.perceptual else None,
            discriminator=self.discriminator if self.is_adversarial else None,
            adaptive_layer=self.network.adaptive_layer,
            # On the CPU sums keep their order, so that runs are bit for bit what they were.
            trunk=None if self.device.type == "cpu" else made.fused,
        )

    @torch.no_grad()
    def preview(self, batch: Batch) -> dict[str, Tensor]:
        """The degraded face, restorations at three fidelities, and the clean face."""
        network, adain = self.average.network, self.settings.adain
        columns = {f"w={w:g}": network(batch["lq"], fidelity=w, adain=adain).image for w in (0.0, 0.5, 1.0)}
        return {"input": batch["lq"], **columns, "face": batch["hq"]}

    def save_weights(self, folder: Path, facts: dict[str, str]) -> dict[str, str]:
        """The averaged network; whether it was trained with adain is one of the facts."""
        path = folder / "codeformer.safetensors"
        sizes = codeformer_sizes(self.scale, self.settings.fused_sizes)
        facts = facts | {"adain": str(self.settings.adain).lower()}
        return {"codeformer": save_network(path, "codeformer", self.average.network, sizes, facts)}
