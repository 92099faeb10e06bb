"""Which degradation a training sample gets; part of the stage's schedule, evaluated in the loader."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from src.data.stream import Key
from src.degradation.chain import Chain
from src.degradation.keyed import SampleKey, keyed_uniforms, stream_number
from src.settings.schedule import is_image_iteration
from src.settings.stages import FidelityPhase


@runtime_checkable
class DegradationPlan(Protocol):
    """Chooses the recipe of a sample; None leaves it clean."""

    def __call__(self, key: Key, seed: int) -> Chain | None: ...


@dataclass(frozen=True)
class Clean:
    """No degradation (stage I)."""

    def __call__(self, key: Key, seed: int) -> Chain | None:
        return None


@dataclass(frozen=True)
class Always:
    """One recipe for every sample (stage II)."""

    recipe: Chain

    def __call__(self, key: Key, seed: int) -> Chain | None:
        return self.recipe


@dataclass(frozen=True)
class ImageOrCode:
    """The small recipe on image iterations, the large one on code iterations (stage III); only one of them is made."""

    phases: list[FidelityPhase]
    small: Chain
    large: Chain

    def __call__(self, key: Key, seed: int) -> Chain | None:
        return self.small if is_image_iteration(self.phases, key.iteration) else self.large


@dataclass(frozen=True)
class Share:
    """A recipe for a random share of the samples (recogniser)."""

    recipe: Chain
    share: float

    def __call__(self, key: Key, seed: int) -> Chain | None:
        chance = keyed_uniforms(SampleKey(seed, key.epoch, key.face), stream_number("share"), 1)[0]
        return self.recipe if chance < self.share else None
