"""What happens when a training image cannot be decoded: the training stops, or another face takes its place."""

import warnings
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from src.data.image_file import DamagedImage
from src.data.source import FaceSource
from src.data.stream import Key
from src.settings.errors import UserError


@runtime_checkable
class DamagePolicy(Protocol):
    """Reads the face of a key; may take another one."""

    def read(self, source: FaceSource, key: Key) -> tuple[Key, UInt8[np.ndarray, "s s 3"]]:
        """The key of the face that was read, with iteration and epoch as asked for, and the face."""


@dataclass(frozen=True)
class Stop:
    """A damaged image ends the training with its path."""

    def read(self, source: FaceSource, key: Key) -> tuple[Key, UInt8[np.ndarray, "s s 3"]]:
        """The face of the key. Raises UserError if it is damaged."""
        return key, source.image(key.face)


@dataclass(frozen=True)
class Skip:
    """The next face that can be read takes the place of a damaged one; each is named once a process."""

    told: set[int] = field(default_factory=set)

    def read(self, source: FaceSource, key: Key) -> tuple[Key, UInt8[np.ndarray, "s s 3"]]:
        """The face of the key, or of the next one in the source. Raises UserError if every face is damaged."""
        for step in range(len(source)):
            face = (key.face + step) % len(source)
            try:
                return key._replace(face=face), source.image(face)
            except DamagedImage as error:
                self._tell(face, error)
        raise UserError("data: every image is damaged; see the warnings above")

    def _tell(self, face: int, error: DamagedImage) -> None:
        if face not in self.told:
            self.told.add(face)
            warnings.warn(f"{error}; skipped, because data.on_damaged=skip", stacklevel=2)


def damage_policy(choice: str) -> DamagePolicy:
    """The policy that `data.on_damaged` names: stop or skip."""
    return Skip() if choice == "skip" else Stop()
