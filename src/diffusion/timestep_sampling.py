"""At which timesteps a training batch is noised, from given uniform numbers u in [0, 1)."""

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor, nn

Uniform = Float[Tensor, "b"]
Timesteps = Int64[Tensor, "b"]


def uniform_timesteps(u: Uniform, steps: int) -> Timesteps:
    """floor(u T), every timestep equally often."""
    return (u.double() * steps).long().clamp(max=steps - 1)


def stratified_timesteps(u: Uniform, position: Int[Tensor, "b"], batch: int, steps: int) -> Timesteps:
    """One timestep from each of `batch` equal parts of the process, the part being the sample's position in the whole batch.

    `position` counts over all processes, 0 to batch - 1; samples must come to it in random order. The mean loss of a batch
    then varies less (low-discrepancy sampling; Variational Diffusion Models, arXiv 2107.00630, appendix I.1).
    """
    return uniform_timesteps((position + u.double()) / batch, steps)


class ImportanceSampling(nn.Module):
    """Timesteps as often as their loss is large: p_t in proportion to sqrt(E[L_t^2]) (Improved DDPM, section 3.3).

    Uniform until every timestep has its full history. The history is in the state dict, so that training resumes exactly.
    """

    losses: Float[Tensor, "steps history"]
    count: Int64[Tensor, "steps"]

    def __init__(self, steps: int, history: int = 10, uniform_share: float = 0.001) -> None:
        super().__init__()
        self.uniform_share = uniform_share
        self.register_buffer("losses", torch.zeros(steps, history))
        self.register_buffer("count", torch.zeros(steps, dtype=torch.int64))

    def probabilities(self) -> Float[Tensor, "steps"]:
        """p_t, float64, with `uniform_share` spread over all timesteps."""
        steps, history = self.losses.shape
        uniform = torch.full((steps,), 1 / steps, dtype=torch.float64, device=self.losses.device)
        magnitude = self.losses.double().square().mean(1).sqrt()
        weighted = (1 - self.uniform_share) * magnitude / magnitude.sum() + self.uniform_share * uniform
        return torch.where((self.count >= history).all() & (magnitude.sum() > 0), weighted, uniform)

    def draw(self, u: Uniform) -> tuple[Timesteps, Float[Tensor, "b"]]:
        """Timesteps, and the weights 1 / (T p_t) of their losses that keep the mean over t that of uniform timesteps."""
        probabilities = self.probabilities()
        edges = probabilities.cumsum(0)
        t = torch.searchsorted(edges, u.double() * edges[-1], right=True).clamp(max=len(edges) - 1)
        return t, (1 / (len(edges) * probabilities[t])).float()

    @torch.no_grad()
    def record(self, t: Int[Tensor, "b"], loss: Float[Tensor, "b"]) -> None:
        """Remember the unweighted losses of a batch, of all processes, in the same order in each of them."""
        earlier_equal = (t[:, None] == t).tril(-1).sum(1)
        self.losses[t, (self.count[t] + earlier_equal) % self.losses.shape[1]] = loss.float()
        self.count.index_add_(0, t.long(), torch.ones_like(t, dtype=torch.int64))
