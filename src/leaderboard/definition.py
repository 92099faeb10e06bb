"""Reading a metric's definition as it is stored with every value."""

import json

from src.metrics.statistics import Direction
from src.settings.metric_roles import is_guide_role
from src.tracking.records import MetricValue, Record

ARROWS: dict[Direction, str] = {"lower": "↓", "higher": "↑"}


def direction_of(definition: dict) -> Direction:
    """Which side is better.

    Raises:
        ValueError: the definition does not say so.
    """
    direction = definition.get("direction")
    if direction not in ("lower", "higher"):
        raise ValueError(f"metric definition without a direction: {definition}")
    return "lower" if direction == "lower" else "higher"


def fingerprint(definition: dict) -> str:
    """Text that is equal for two definitions exactly if they measure the same."""
    return json.dumps(definition, sort_keys=True)


def is_distribution(measured: MetricValue) -> bool:
    """Whether the metric is one number for a set of images (FID, KID): its size must then be equal to be compared."""
    return str(measured.definition.get("role")).startswith("distribution")


def is_guides_view(measured: MetricValue) -> bool:
    """Whether the metric is identity as the recogniser sees it that guided; each row may have a guide of its own."""
    return is_guide_role(str(measured.definition.get("role")))


def is_biased(measured: MetricValue) -> bool:
    """Whether the metric's expectation depends on the number of images (Fréchet distances; conventions.md 6.3)."""
    return str(measured.definition.get("role")) == "distribution"


def images_asked(measured: MetricValue) -> int:
    """Images that a value stands for; of a distribution distance only those measured: its bias depends on n."""
    return measured.n if is_distribution(measured) else measured.n + measured.failures


def metric_for(record: Record, name: str) -> str | None:
    """Id of the record's metric that `name` means: a role, or a metric by its id; None if it was not measured."""
    if name in record.roles:
        return record.roles[name]
    if name in record.metrics:
        return name
    # Records of old name no metric for some roles, but their definitions do.
    found = (metric for metric, value in record.metrics.items() if value.definition.get("role") == name)
    return next(found, None)
