"""What the entries of `metrics.definitions` are built by: one dataclass a kind, its fields the options of an entry."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, cast, runtime_checkable

import torch
from torch import nn

from src.checkpoints.catalogue import find_weights, missing_sentence, verified_weights
from src.checkpoints.download import fetch_weights
from src.checkpoints.files import sha256_of
from src.metrics.metric import Metric
from src.settings.errors import UserError

Shared = TypeVar("Shared")


class CannotMeasure(UserError):
    """What only shows while a metric is built: a sentence on what is missing and what to do."""


@dataclass(frozen=True)
class BuildContext:
    """Where the metrics of one suite find weights, and what they share."""

    weights_dir: str | None
    device: torch.device
    cache: Path | None = None
    """Folder that keeps statistics of reference sets by their hash; None keeps none."""
    rendered_recogniser: tuple[nn.Module, str] | None = None
    """The suite's own recogniser of rendered faces and its SHA-256, where the faces are rendered."""
    fetch: bool = False
    """Fetch weights that are missing from their published address."""
    side: int | None = None
    """Side of the measured faces, pixels; None before they are known."""
    landmark_detector: tuple[nn.Module, str] | None = None
    """The suite's own landmark detector of rendered faces and its SHA-256, where the faces are rendered."""
    guide_recogniser: tuple[nn.Module, str] | None = None
    """The trained recogniser that guides what is measured, and its SHA-256; it never stands for identity."""
    _shared: dict[str, object] = field(default_factory=dict)

    def shared(self, key: str, build: Callable[[], Shared]) -> Shared:
        """What `build` gives, called once for each `key`: one network for all metrics that use it."""
        if key not in self._shared:
            self._shared[key] = build()
        return cast(Shared, self._shared[key])

    def sha256(self, weights: str) -> str:
        """Hash of a weights file of the catalogue, after it was checked."""
        return self.shared(f"sha256 {weights}", lambda: sha256_of(verified_weights(weights, self.weights_dir)))


@runtime_checkable
class MetricKind(Protocol):
    """An entry of `metrics.definitions`, its options being the fields."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def missing(self, context: BuildContext) -> list[str]:
        """One sentence for everything that is lacking here; must be quick and load no network."""

    def build(self, name: str, context: BuildContext) -> Metric:
        """The metric whose definitions begin with the id `name`.

        Raises:
            CannotMeasure: something is missing that `missing` could not know; the metric is left out.
            UserError: a file is damaged or an option wrong.
        """


def missing_weights(names: Iterable[str], context: BuildContext) -> list[str]:
    """A sentence, with file, address and path, for every weights file that is neither here nor could be fetched."""
    found = (_missing_file(name, context) for name in names)
    return [sentence for sentence in found if sentence]


def _missing_file(name: str, context: BuildContext) -> str | None:
    if find_weights(name, context.weights_dir):
        return None
    if not context.fetch:
        return missing_sentence(name, context.weights_dir)
    try:
        fetch_weights(name, context.weights_dir)
    except UserError as error:
        return str(error)
    return None


def missing_packages(*names: str) -> list[str]:
    """A sentence for every pip package that is not installed, by the name it is imported by."""
    absent = [name for name in names if not find_spec(name)]
    return [f"the pip package {name.replace('_', '-')} is missing: install it" for name in absent]
