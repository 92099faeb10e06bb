"""A diffusion prior with the process that it inverts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from src.checkpoints.export import PUBLISHED_FACT
from src.checkpoints.network_file import is_network_file, load_network
from src.checkpoints.plain_files import parsed_json
from src.checkpoints.published import load_published
from src.diffusion.process import PUBLISHED, noise_schedule
from src.diffusion.schedule import NoiseSchedule
from src.networks.diffusion_unet import DiffusionUnet
from src.settings.difface import DiffusionProcessSettings
from src.settings.errors import UserError

MOST_STEPS = 100_000
"""Noising steps that a file may ask for; each has a place in several tables."""


@dataclass(frozen=True)
class LoadedPrior:
    """The network of a weights file."""

    network: DiffusionUnet
    schedule: NoiseSchedule
    learned_variance: bool
    """Whether the second half of the output was trained; the simple objective does not."""

    def to(self, device: torch.device) -> "LoadedPrior":
        """The prior with its network on a device."""
        return replace(self, network=self.network.to(device))

    def __call__(self, state: Tensor, timestep: Tensor) -> Tensor:
        """Predicted noise and, where it was trained, the variance."""
        output = self.network(state, timestep).float()
        return output if self.learned_variance else output[:, : state.shape[1]]


def load_prior(path: Path, published: str = "difface_unet512") -> LoadedPrior:
    """The prior in a file of this suite, or in a published one, which is the network `published`.

    Raises:
        UserError: the file is damaged, or holds another network.
    """
    if not is_network_file(path):
        network = load_published(published, path)
        assert isinstance(network, DiffusionUnet)
        return LoadedPrior(network, noise_schedule(PUBLISHED), True)
    loaded = load_network(path)
    if not isinstance(loaded.network, DiffusionUnet):
        raise UserError(f"{path}: holds a {loaded.kind}; a diffusion prior is a diffusion_unet")
    process = _process(loaded.facts, path)
    return LoadedPrior(loaded.network, noise_schedule(process), loaded.facts.get("objective") != "simple")


def _process(facts: Mapping[str, str], path: Path) -> DiffusionProcessSettings:
    if PUBLISHED_FACT in facts:
        return PUBLISHED
    if "process" not in facts:
        raise UserError(f"{path}: does not say which noising process it inverts; take the file of a training run")
    try:
        process = DiffusionProcessSettings(**parsed_json(facts["process"]))
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{path}: its noising process cannot be read ({error}); take the file of a training run"
        ) from None
    if not (isinstance(process.steps, int) and 0 < process.steps <= MOST_STEPS):
        raise UserError(f"{path}: its noising process has {process.steps!r} steps, expected 1 to {MOST_STEPS:,}")
    return process
