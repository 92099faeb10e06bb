"""DifFace with small networks of random weights, in memory and in files."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from src.checkpoints.network_file import save_network
from src.diffusion.process import PUBLISHED, noise_schedule
from src.networks import DiffusionUnet, SrcnnSameResolution, SwinIr
from src.restorers.difface import BackboneRestorer, DifFaceRestorer
from src.restorers.precision import EXACT, Precision
from src.restorers.prior_file import LoadedPrior
from src.restorers.sampling import Sampling
from src.settings.difface import DiffusionProcessSettings
from tests.small_networks import DIFFUSION_UNET, SRCNN, SWINIR

PRIOR_SIZE = replace(DIFFUSION_UNET, image_size=16, multipliers=[1, 2], residual_blocks=[1, 1], attention_sizes=[8])
"""A chain asks often, and every call of a block is checked in tests."""
SIDE = PRIOR_SIZE.image_size
SCHEDULE = noise_schedule(PUBLISHED)
QUICK = {"solver": "ddim", "start": 400, "steps": 5, "eta": 0.5}


def small_unet() -> DiffusionUnet:
    """No layer is zero, unlike at the start of a training."""
    torch.manual_seed(0)
    network = DiffusionUnet(PRIOR_SIZE)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    return network.eval()


def small_backbone() -> SrcnnSameResolution:
    torch.manual_seed(1)
    return SrcnnSameResolution(SRCNN).eval()


def small_prior(learned_variance: bool = True) -> LoadedPrior:
    return LoadedPrior(small_unet(), SCHEDULE, learned_variance)


def sampling(**changes: object) -> Sampling:
    return Sampling(**(QUICK | changes))


def difface(precision: Precision = EXACT, **changes: object) -> DifFaceRestorer:
    return DifFaceRestorer(small_prior(), BackboneRestorer(small_backbone(), None), sampling(**changes), precision)


def faces(count: int = 3, side: int = SIDE) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1


def save_prior(path: Path, process: DiffusionProcessSettings = PUBLISHED, objective: str = "hybrid") -> Path:
    facts = {"process": json.dumps(asdict(process)), "objective": objective}
    save_network(path, "diffusion_unet", small_unet(), {"diffusion_unet": asdict(PRIOR_SIZE)}, facts)
    return path


def save_backbone(path: Path) -> Path:
    save_network(path, "srcnn", small_backbone(), {"srcnn": asdict(SRCNN)}, {})
    return path


def save_swinir(path: Path, image_size: int) -> Path:
    size = replace(SWINIR, image_size=image_size)
    save_network(path, "swinir", SwinIr(size), {"swinir": asdict(size)}, {})
    return path


def save_run(folder: Path) -> dict[str, Path]:
    """Run folders of both networks."""
    return {
        "diffusion_prior": save_prior(folder / "prior" / "weights" / "diffusion_prior.safetensors").parents[1],
        "restoration_backbone": save_backbone(
            folder / "backbone" / "weights" / "restoration_backbone.safetensors"
        ).parents[1],
    }


class OneFacePrior(DiffusionUnet):
    """The exact prior of a population of one face: whatever it sees is that face, noised."""

    def __init__(self, face: Tensor) -> None:
        super().__init__(PRIOR_SIZE)
        self._face = face

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        alpha_bar = torch.as_tensor(SCHEDULE.alphas_cumprod, dtype=torch.float64)[t].view(-1, 1, 1, 1)
        epsilon = (x_t.double() - alpha_bar.sqrt() * self._face) / (1 - alpha_bar).sqrt()
        return torch.cat([epsilon, torch.zeros_like(epsilon)], dim=1).float()


def stacked(restorer: DifFaceRestorer, lq: Tensor, keys: Sequence[int]) -> Tensor:
    """Each face restored alone."""
    return torch.cat([restorer.restore(face[None], [key]) for face, key in zip(lq, keys, strict=True)])
