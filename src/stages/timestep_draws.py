"""The noise level of every training face, as `diffusion_prior.timestep_sampling` says."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from src.degradation.canvas import to_device
from src.degradation.keyed import SampleKey, stream_number
from src.degradation.keyed_images import keyed_shares
from src.diffusion.timestep_sampling import ImportanceSampling, stratified_timesteps, uniform_timesteps

TIMESTEP = stream_number("diffusion_timestep")


class TimestepDraws(nn.Module):
    """Draws timesteps from the keys of the faces alone, whose index is the place in the global batch of `batch` faces."""

    def __init__(self, sampling: str, steps: int, batch: int) -> None:
        super().__init__()
        self._sampling, self._steps, self._batch = sampling, steps, batch
        self.importance = ImportanceSampling(steps) if sampling == "importance" else None

    def draw(self, keys: Sequence[SampleKey], device: torch.device) -> tuple[Int64[Tensor, "b"], Float[Tensor, "b"]]:
        """Timesteps and the weights of their losses."""
        u = torch.from_numpy(keyed_shares(keys, TIMESTEP))
        if self.importance is not None:
            return self.importance.draw(to_device(u, device))
        if self._sampling == "stratified":
            timesteps = stratified_timesteps(u, torch.tensor([key.index for key in keys]), self._batch, self._steps)
        else:
            timesteps = uniform_timesteps(u, self._steps)
        return to_device(timesteps, device), torch.ones(len(keys), device=device)

    @property
    def remembers(self) -> bool:
        """Whether the draws depend on the losses so far."""
        return self.importance is not None

    def record(self, timesteps: Int64[Tensor, "b"], losses: Float[Tensor, "b"]) -> None:
        """Remember the unweighted losses of a batch, of all ranks, in the same order in each of them."""
        if self.importance is not None:
            self.importance.record(timesteps, losses)
