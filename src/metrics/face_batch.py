"""A batch of faces under measurement, in which every pass of a network is made once and shared by all metrics."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, cast, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from src.metrics.definition import View

Image = Float[Tensor, "b 3 h w"]
Landmarks = Float[Tensor, "b 5 2"]
Result = TypeVar("Result")


@runtime_checkable
class Extractor(Protocol):
    """Maps faces to rows of numbers: identity embeddings, landmarks, or features of a distribution."""

    key: str
    """Equal for two extractors exactly if they give the same rows."""

    def __call__(self, image: Image, landmarks: Landmarks | None) -> Float[Tensor, "b d"]:
        """Rows of RGB faces in [0, 1]; landmarks in pixels, None for FFHQ-aligned faces.

        A face that cannot be measured gives NaN.
        """


class FeatureStore:
    """Rows of a benchmark's originals and inputs, computed once and shared by all evaluators of that benchmark."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], dict[int, Tensor]] = {}

    def rows(
        self, view: View, key: str, indices: tuple[int, ...], compute: Callable[[], Tensor]
    ) -> Float[Tensor, "b d"]:
        """Rows of the faces `indices`, on the CPU; `compute` gives all of them where one is not kept yet."""
        kept = self._rows.setdefault((view, key), {})
        if any(index not in kept for index in indices):
            kept.update(zip(indices, compute().cpu(), strict=True))
        return torch.stack([kept[index] for index in indices])


@dataclass(frozen=True)
class FaceBatch:
    """Restored faces, and what they are compared with; RGB in [0, 1] that came from rounded levels."""

    views: Mapping[View, Image]
    """`restored` always; `truth` and `input` where the benchmark has them."""
    landmarks: Landmarks | None
    """Five points of the originals in pixels; None for FFHQ-aligned faces."""
    indices: tuple[int, ...]
    """Places in the benchmark."""
    store: FeatureStore
    _once: dict[str, object] = field(default_factory=dict)

    @property
    def restored(self) -> Image:
        """The restored faces."""
        return self.views["restored"]

    @property
    def truth(self) -> Image:
        """The clean originals; KeyError without."""
        return self.views["truth"]

    def features(self, extractor: Extractor, view: View = "restored") -> Float[Tensor, "b d"]:
        """Rows of one view, from one pass a batch, and for `truth` and `input` from one pass a benchmark."""

        def compute() -> Tensor:
            return extractor(self.views[view], self.landmarks)

        if view == "restored":
            return self.once(f"features {extractor.key}", compute)
        return self.store.rows(view, extractor.key, self.indices, compute).to(self.restored.device)

    def once(self, key: str, compute: Callable[[], Result]) -> Result:
        """What `compute` gives, called once a batch for each `key`: for passes over pairs of faces."""
        if key not in self._once:
            self._once[key] = compute()
        return cast(Result, self._once[key])
