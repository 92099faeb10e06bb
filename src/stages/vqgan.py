"""Stage I: VQ autoencoder against a patch discriminator (codeformer.md 2.3)."""

from dataclasses import asdict
from pathlib import Path

from src.checkpoints.network_file import save_network
from src.losses.perceptual import PerceptualLoss
from src.networks.discriminator import PatchDiscriminator
from src.networks.vq_autoencoder import VqAutoencoder
from src.settings.scale import ScaleSettings
from src.settings.stages import VqganSettings
from src.stages.autoencoder import AutoencoderStage


class VqganStage(AutoencoderStage[VqAutoencoder, VqganSettings]):
    """Trains the autoencoder whose codes the later stages of CodeFormer predict."""

    kind = "vqgan"

    def __init__(
        self, settings: VqganSettings, scale: ScaleSettings, *, perceptual: PerceptualLoss | None, seed: int
    ) -> None:
        networks = VqAutoencoder(scale.autoencoder), PatchDiscriminator(scale.discriminator)
        super().__init__(settings, *networks, perceptual=perceptual, seed=seed)
        self.scale = scale

    def save_weights(self, folder: Path, facts: dict[str, str]) -> dict[str, str]:
        """The averaged autoencoder, and the discriminator that stage III starts from."""
        sizes = {"autoencoder": asdict(self.scale.autoencoder)}
        critic = {"discriminator": asdict(self.scale.discriminator)}
        return {
            "vqgan": save_network(folder / "vqgan.safetensors", "vqgan", self.average.network, sizes, facts),
            "vqgan_discriminator": save_network(
                folder / "vqgan_discriminator.safetensors", "vqgan_discriminator", self.discriminator, critic, facts
            ),
        }
