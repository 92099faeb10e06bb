"""Which degradation a training sample gets; part of the stage's schedule, evaluated in the loader."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from src.data.stream import Key
from src.degradation.draw import keyed_generator
from src.settings.degradation import DegradationRecipe
from src.settings.schedule import is_image_iteration
from src.settings.stages import FidelityPhase


@runtime_checkable
class DegradationPlan(Protocol):
    """Chooses the recipe of a sample; None leaves it clean."""

    def __call__(self, key: Key, seed: int) -> DegradationRecipe | None: ...


@dataclass(frozen=True)
class Clean:
    """No degradation (stage I)."""

    def __call__(self, key: Key, seed: int) -> DegradationRecipe | None:
        return None


@dataclass(frozen=True)
class Always:
    """One recipe for every sample (stage II)."""

    recipe: DegradationRecipe

    def __call__(self, key: Key, seed: int) -> DegradationRecipe | None:
        return self.recipe


@dataclass(frozen=True)
class ImageOrCode:
    """The small recipe on image iterations, the large one on code iterations (stage III); only one of them is made."""

    phases: list[FidelityPhase]
    small: DegradationRecipe
    large: DegradationRecipe

    def __call__(self, key: Key, seed: int) -> DegradationRecipe | None:
        return self.small if is_image_iteration(self.phases, key.iteration) else self.large


@dataclass(frozen=True)
class Share:
    """A recipe for a random share of the samples (recogniser)."""

    recipe: DegradationRecipe
    share: float

    def __call__(self, key: Key, seed: int) -> DegradationRecipe | None:
        chance = keyed_generator(seed, key.epoch, key.face, "share").random()
        return self.recipe if chance < self.share else None
