"""The recipes that a stage trains with. Imports no torch."""

from src.degradation.chain import Chain, chain_of
from src.settings.commands import TrainConfig


def training_chains(config: TrainConfig) -> list[Chain]:
    """The chains that training faces go through; of stage III the small, then the large one."""
    recipes = {
        "code_predictor": [config.code_predictor.degradation],
        "cft": [config.cft.small_degradation, config.cft.large_degradation],
        "recogniser": [config.recogniser.degradation],
        "restoration_backbone": [config.restoration_backbone.degradation],
        "landmark_detector": [config.landmark_detector.degradation],
        "registration": [config.branches.degradation],
        "texture_fusion": [config.branches.degradation],
        "latent_encoder": [config.latent_encoder.degradation],
        "latent_score": [config.latent_score.degradation],
        "guide_recogniser": [config.guide_recogniser.degradation],
        "identity_recovery": [config.identity_recovery.degradation],
        "latent_mask": [config.latent_mask.degradation],
    }
    return [chain_of(recipe) for recipe in recipes.get(config.stage, [])]
