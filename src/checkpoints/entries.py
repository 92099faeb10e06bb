"""Published weights that the suite can use."""

from src.checkpoints.codeformer_entries import CODEFORMER, PUBLISHED_ADAIN
from src.checkpoints.difface_entries import DIFFACE
from src.checkpoints.metric_entries import METRICS
from src.checkpoints.photo_entries import PHOTOS
from src.checkpoints.weights_entry import ONE_SOURCE, S_LAB, WeightsEntry

__all__ = ["CATALOGUE", "ONE_SOURCE", "PUBLISHED_ADAIN", "S_LAB", "WeightsEntry"]

CATALOGUE: dict[str, WeightsEntry] = CODEFORMER | DIFFACE | PHOTOS | METRICS
"""Name to file."""
