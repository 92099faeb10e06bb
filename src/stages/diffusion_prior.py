"""DifFace's prior: an unconditional diffusion model of clean faces (difface.md 1.1, 3.1)."""

import json
from dataclasses import asdict
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer

from src.checkpoints.network_file import save_network
from src.degradation.keyed import SampleKey, stream_number
from src.degradation.keyed_images import keyed_noise
from src.diffusion.denoising import denoised, denoising_curve, unconditional_samples
from src.diffusion.denoising_loss import DenoisingLoss, hybrid_loss, simple_loss
from src.diffusion.process import noise_schedule
from src.networks.diffusion_unet import DiffusionUnet
from src.settings.difface import DiffusionPriorSettings
from src.settings.scale import ScaleSettings
from src.stages.stage import Batch, Stage
from src.stages.timestep_draws import TimestepDraws
from src.stages.weight_average import WeightAverage

NOISE = stream_number("diffusion_noise")
PROCESS = "process"
"""Fact of a weights file: the settings of the process that the prior inverts, as JSON."""
OBJECTIVE = "objective"
"""Fact of a weights file: `hybrid`, or `simple`, which trains no variance."""
SHOWN_PART = 0.4
"""Part of the process to which the faces of the picture grid are noised: where DifFace starts by default."""
CLIP = 1.0
"""Faces lie in [-1, 1]."""


class DiffusionPriorStage(Stage):
    """Trains the network to predict the noise of a noised face and, with the hybrid objective, the variance of a step.

    Timesteps and noise are functions of seed, iteration and place in the global batch, so that neither a resumed run nor
    another number of devices sees others.
    """

    kind = "diffusion_prior"

    def __init__(self, settings: DiffusionPriorSettings, scale: ScaleSettings, *, seed: int) -> None:
        super().__init__(settings.training, seed)
        self.settings, self.scale = settings, scale
        self.network = DiffusionUnet(scale.diffusion_unet)
        self.average = WeightAverage(self.network, settings.training.ema_decay)
        self.schedule = noise_schedule(settings.process)
        self.draws = TimestepDraws(settings.timestep_sampling, len(self.schedule), settings.training.batch_size)

    def configure_optimizers(self) -> list[Optimizer]:
        """Adam for the network; the published AdamW has no weight decay."""
        return [self.adam(self.network.parameters())]

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on the objective, each face at a noise level of its own."""
        faces = batch["hq"]
        keys = [SampleKey(self.seed, self.iteration, place) for place in self.places]
        timesteps, weights = self.draws.draw(keys, self.device)
        terms = self._loss(faces, timesteps, keyed_noise(keys, NOISE, faces.shape[-1], self.device))
        loss = (weights * terms.loss).mean()
        scalars = {"loss": loss.detach(), "mse": terms.mse.detach().mean()}
        if terms.vb is not None:
            scalars["bound_bits"] = terms.vb.detach().mean()
        self.guard(scalars)
        self.descend(self.optimizers(), loss)
        self.average.update(self.network)
        if self.draws.remembers:
            self.draws.record(self._of_all_ranks(timesteps), self._of_all_ranks(terms.loss.detach()))
        return scalars

    def _of_all_ranks(self, values: Tensor) -> Tensor:
        """Values of the whole batch in the order of its places, of which every rank has its n-th ones."""
        gathered = self.all_gather(values)
        assert isinstance(gathered, Tensor)
        return gathered.view(-1, len(values)).T.flatten()

    def _loss(self, faces: Tensor, timesteps: Tensor, noise: Tensor) -> DenoisingLoss:
        if self.settings.objective == "simple":
            return simple_loss(self.schedule, self.network, faces, timesteps, noise)
        return hybrid_loss(self.schedule, self.network, faces, timesteps, noise, self.settings.bound_weight)

    @torch.no_grad()
    def preview(self, batch: Batch) -> dict[str, Tensor]:
        """A face, the face noised, the face as the averaged network guesses it from that, and a face from pure noise."""
        faces = batch["hq"]
        timestep, noise = round(SHOWN_PART * len(self.schedule)), self._preview_noise(faces)
        shown = denoised(self.schedule, self.average.network, faces, timestep, noise, CLIP)
        samples = unconditional_samples(self.schedule, self.average.network, noise, self.settings.sample_steps, CLIP)
        columns = {"face": faces, f"noised to {timestep}": shown.state.clamp(-1, 1), "guess": shown.guess}
        return columns | {"sample": samples.clamp(-1, 1)}

    def denoising_curve(self, faces: Float[Tensor, "b 3 h w"]) -> dict[int, float]:
        """Mean squared error of the averaged network's noise by timestep, for the same faces and noise every time."""
        return denoising_curve(self.schedule, self.average.network, faces, self._preview_noise(faces))

    def _preview_noise(self, faces: Tensor) -> Tensor:
        keys = [SampleKey(self.seed, 0, place) for place in range(len(faces))]
        return keyed_noise(keys, NOISE, faces.shape[-1], faces.device)

    def save_weights(self, folder: Path, facts: dict[str, str]) -> dict[str, str]:
        """The averaged network; the process that it inverts is one of the facts."""
        path = folder / f"{self.kind}.safetensors"
        sizes = {"diffusion_unet": asdict(self.scale.diffusion_unet)}
        process = json.dumps(asdict(self.settings.process), sort_keys=True)
        facts = facts | {PROCESS: process, OBJECTIVE: self.settings.objective}
        return {self.kind: save_network(path, "diffusion_unet", self.average.network, sizes, facts)}
