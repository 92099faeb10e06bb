"""Settings of the landmark detector that this suite trains on rendered faces."""

from dataclasses import dataclass

from src.settings.degradation import DegradationRecipe
from src.settings.stages import TrainingSettings


@dataclass(kw_only=True)
class LandmarkDetectorSettings:
    """Small landmark detector with heatmaps (DSNT, arXiv 1801.07372)."""

    training: TrainingSettings
    heatmap_weight: float
    """Weight of the divergence of the heatmaps from a Gaussian around each landmark."""
    movement: float
    """Greatest shift of a training face, and greatest displacement of its parts on top, as a share of the side, from 0 to
    1 / 16; aligned faces alone would teach the places where landmarks usually are."""
    degraded_share: float
    """Share of training faces that are degraded, so that blurred faces have landmarks too."""
    degradation: DegradationRecipe
