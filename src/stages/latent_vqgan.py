"""CLR-Face: VQ autoencoder with a large latent, in which the later stages work (clr_face.md 2)."""

from dataclasses import asdict
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from src.checkpoints.network_file import save_network
from src.losses.perceptual import PerceptualLoss
from src.networks.discriminator import PatchDiscriminator
from src.networks.latent_autoencoder import LatentAutoencoder
from src.settings.clr_face import LatentVqganSettings
from src.settings.scale import ScaleSettings
from src.stages.autoencoder import AutoencoderStage


class LatentVqganStage(AutoencoderStage[LatentAutoencoder, LatentVqganSettings]):
    """Trains the autoencoder of the chosen latent; its statistics are measured afterwards (`set_statistics`)."""

    kind = "latent_vqgan"

    def __init__(
        self, settings: LatentVqganSettings, scale: ScaleSettings, *, perceptual: PerceptualLoss | None, seed: int
    ) -> None:
        network = LatentAutoencoder(scale.latent_autoencoder[settings.latent])
        super().__init__(settings, network, PatchDiscriminator(scale.discriminator), perceptual=perceptual, seed=seed)

    def set_statistics(self, mean: Float[Tensor, "d"], deviation: Float[Tensor, "d"]) -> None:
        """Set each channel's mean and deviation, by which the later stages normalise; of the average as well."""
        for network in (self.network, self.average.network):
            network.set_statistics(mean, deviation)

    def save_weights(self, folder: Path, facts: dict[str, str]) -> dict[str, str]:
        """The averaged autoencoder with the latent's statistics; nothing later needs the discriminator."""
        kind, network = "latent_autoencoder", self.average.network
        sizes = {"autoencoder": asdict(network.size)}
        return {kind: save_network(folder / f"{kind}.safetensors", kind, network, sizes, facts)}
