"""Learning rate as a function of the iteration (codeformer.md 2): at iteration t the schedule's position is t - 1."""

import math

from src.settings.stages import LearningRateSettings


def learning_rate_at(settings: LearningRateSettings, iteration: int, iterations: int) -> float:
    """Learning rate of `iteration` (counted from 1) in a training of `iterations`."""
    return _scheduled(settings, iteration - 1, iterations) * _warmth(settings.warmup, iteration)


def _warmth(warmup: int, iteration: int) -> float:
    return min(iteration / warmup, 1.0) if warmup else 1.0


def _scheduled(settings: LearningRateSettings, position: int, iterations: int) -> float:
    if settings.kind == "cosine":
        share = (1 + math.cos(math.pi * position / iterations)) / 2
        return settings.minimum + (settings.initial - settings.minimum) * share
    if settings.kind == "multistep":
        passed = sum(position >= milestone for milestone in settings.milestones)
        return settings.initial * settings.gamma**passed
    return settings.initial
