"""What `auto` stood for in a training: networks of losses, and where masks come from."""

from src.jobs.build_codeformer_plus_plus import mask_source
from src.settings.commands import TrainConfig
from src.stages.cft import CftStage
from src.stages.identity_recovery import IdentityRecoveryStage
from src.stages.latent_encoder import LatentEncoderStage
from src.stages.latent_mask import LatentMaskStage
from src.stages.latent_vqgan import LatentVqganStage
from src.stages.registration import RegistrationStage
from src.stages.restoration_backbone import RestorationBackboneStage
from src.stages.stage import Stage
from src.stages.texture_fusion import TextureFusionStage
from src.stages.vqgan import VqganStage

CHOICES = ("perceptual_network", "metric_learning_features", "component_masks", "identity_network")
"""Facts of a run that say so."""

PERCEIVING = (
    *(VqganStage, CftStage, RestorationBackboneStage, TextureFusionStage),
    *(LatentVqganStage, LatentEncoderStage, IdentityRecoveryStage, LatentMaskStage),
)
"""Stages that a perceptual distance may train."""


def choices(config: TrainConfig, stage: Stage) -> dict[str, str]:
    """Facts of the run, by `CHOICES`; a registration's are the features that it compares faces by."""
    if isinstance(stage, RegistrationStage):
        return {"similarity_features": getattr(stage.features, "name", "none")}
    chosen = {}
    if isinstance(stage, PERCEIVING):
        chosen["perceptual_network"] = "none" if stage.perceptual is None else str(stage.perceptual.network.name)
    if isinstance(stage, TextureFusionStage):
        chosen["metric_learning_features"] = stage.features.name if stage.features is not None else "none"
        chosen["component_masks"] = mask_source(config) if stage.masks is not None else "none"
        chosen["identity_network"] = stage.identity_loss.name if stage.identity_loss is not None else "none"
    if isinstance(stage, IdentityRecoveryStage | LatentMaskStage):
        chosen["identity_network"] = stage.guide.name if stage.guide is not None else "none"
    return chosen
