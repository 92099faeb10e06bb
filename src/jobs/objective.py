"""The number a sweep job returns to its sweeper. Imports no torch."""

import math
from dataclasses import replace

from src.jobs.record_folders import record_stem, records_folder
from src.leaderboard.definition import is_guides_view, metric_for
from src.leaderboard.guides import judged_alike
from src.settings.commands import TrainConfig
from src.settings.metric_roles import DEFAULT_PRIMARY
from src.tracking.records import read_records


def read_objective(config: TrainConfig, label: str) -> float:
    """Best value of the primary metric over the arm's fidelities, signed so that smaller is better; NaN without one.

    What the recogniser sees that guided is no objective.
    """
    folder = records_folder(config) / record_stem(replace(config, label=label))
    if not folder.is_dir():  # of a network that restores nothing
        return math.nan
    values = []
    for stored in judged_alike(read_records(folder).records)[0]:
        metric = stored.record.metrics.get(metric_for(stored.record, config.metrics.primary or DEFAULT_PRIMARY) or "")
        if metric is not None and metric.value is not None and not is_guides_view(metric):
            values.append(metric.value if metric.definition["direction"] == "lower" else -metric.value)
    return min(values, default=math.nan)
