"""A restorer as a command line names it: its files, found and hashed once, built at any of its settings."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch

from src.checkpoints.catalogue import licence_of
from src.checkpoints.files import sha256_of
from src.restorers.base import Restorer
from src.restorers.build import build_restorer
from src.restorers.build_difface import build_backbone_restorer, build_difface
from src.restorers.knobs import DRAWING
from src.restorers.precision import EXACT, Precision
from src.restorers.sampling import Sampling


@dataclass(frozen=True)
class Setting:
    """One setting of a restorer; what it does not have is None, and None takes what the published script does."""

    fidelity: float | None = None
    adain: bool | None = None
    sampling: Sampling | None = None


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

    def built(self, setting: Setting, device: torch.device, precision: Precision = EXACT) -> Restorer:
        """The restorer at a setting.

        Raises:
            UserError: a file is damaged or of another kind, or a value of the setting is out of range.
        """
        if self.kind in DRAWING:
            assert setting.sampling is not None
            return build_difface(self.kind, self.files, setting.sampling, device, precision)
        if self.kind == "difface_backbone":
            return build_backbone_restorer(self.files["restoration_backbone"], device, precision)
        path = next(iter(self.files.values()), "")
        return build_restorer(self.kind, str(path), setting.fidelity, setting.adain, device, precision)
