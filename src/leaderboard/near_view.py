"""Which points a panel should be drawn around, so that a few broken settings do not squash all others into a corner."""

import numpy as np
from jaxtyping import Bool, Float

_FENCE = 3.0
"""Interquartile ranges from the middle half of the points, Tukey's outer fence."""
_FEWEST = 8
"""Points of which quartiles say something."""


def near_points(places: Float[np.ndarray, "n d"]) -> Bool[np.ndarray, " n"]:
    """True within Tukey's outer fences (Exploratory Data Analysis, 1977) in every coordinate; of few points, for all."""
    if len(places) < _FEWEST:
        return np.ones(len(places), bool)
    low, high = np.quantile(places, [0.25, 0.75], axis=0)
    room = _FENCE * (high - low)
    return ((places >= low - room) & (places <= high + room)).all(axis=1)
