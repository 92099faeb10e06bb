"""A restorer as a command line names it: its files, found and hashed once, built at any of its settings."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch

from src.checkpoints.catalogue import licence_of
from src.checkpoints.files import sha256_of
from src.restorers.base import Restorer
from src.restorers.build_codeformer_plus_plus import build_codeformer_plus_plus
from src.restorers.build_method import Setting, build_method
from src.restorers.guide_target import Oracle
from src.restorers.precision import EXACT, Precision

__all__ = ["ChosenRestorer", "Setting"]


@dataclass(frozen=True)
class ChosenRestorer:
    """A kind of restorer with the weights files of its networks, by the network's name."""

    kind: str
    files: dict[str, Path] = field(default_factory=dict)

    @cached_property
    def weights(self) -> dict[str, str]:
        """SHA-256 of every file; computed once, since a published one has up to 640 MB."""
        return {network: sha256_of(path) for network, path in self.files.items()}

    @property
    def licences(self) -> dict[str, str]:
        """Of the files that have one."""
        found = {network: licence_of(self.files[network], sha) for network, sha in self.weights.items()}
        return {network: licence for network, licence in found.items() if licence is not None}

    def built(
        self, setting: Setting, device: torch.device, precision: Precision = EXACT, oracle: Oracle | None = None
    ) -> Restorer:
        """The restorer at a setting; `oracle` gives the clean faces of a benchmark by the keys of its faces.

        Raises:
            UserError: a file is damaged or of another kind, or a value of the setting is out of range.
        """
        if self.kind == "codeformer_plus_plus":
            return build_codeformer_plus_plus(self.files, device, precision)
        return build_method(self.kind, self.files, setting, device, precision, oracle)
