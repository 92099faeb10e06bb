"""Statistics of the latent: those of all latents together, whatever the batches, and of dead channels."""

import numpy as np
import pytest
import torch

from src.data.damage import Skip, Stop
from src.data.image_file import DamagedImage
from src.data.levels import to_network
from src.jobs.latent_statistics import channel_statistics, set_latent_statistics
from src.jobs.restorations import channels_first
from src.stages.latent_vqgan import LatentVqganStage
from tests.stages.small import RandomFaces
from tests.stages.small_latent import latent_config, latent_stage

CPU = torch.device("cpu")


def untrained() -> LatentVqganStage:
    """A stage whose average is another network than the one that learns."""
    stage = latent_stage(latent_config("latent_vqgan"))
    assert isinstance(stage, LatentVqganStage)
    with torch.no_grad():
        stage.network.encoder.blocks[-1].bias.add_(1)
    return stage


def latents(stage: LatentVqganStage, images: list[np.ndarray]) -> torch.Tensor:
    with torch.no_grad():
        return stage.average.network.encode(to_network(channels_first(np.stack(images))))


@pytest.mark.parametrize(("asked", "measured"), [(18, 18), (100, 20)])
def test_the_statistics_are_those_of_all_latents_of_the_averaged_network(asked: int, measured: int) -> None:
    """Of two unequal batches; normalised latents of the same faces have mean 0 and deviation 1."""
    stage, faces = untrained(), RandomFaces(20)
    set_latent_statistics(stage, faces, asked, damage=Stop(), device=CPU)
    network = stage.average.network
    found = latents(stage, [faces.image(index) for index in range(measured)])
    torch.testing.assert_close(network.latent_mean, found.mean((0, 2, 3)))
    torch.testing.assert_close(network.latent_deviation, found.std((0, 2, 3), correction=0))
    assert torch.equal(stage.network.latent_mean, network.latent_mean)
    assert torch.equal(stage.network.latent_deviation, network.latent_deviation)
    normalised = network.normalised(found)
    torch.testing.assert_close(normalised.mean((0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-4)
    torch.testing.assert_close(normalised.std((0, 2, 3), correction=0), torch.ones(3))


def test_far_off_latents_lose_no_digits_and_dead_channels_have_a_deviation() -> None:
    """float32 sums of squares around 1000 would leave nothing of a deviation of 0.1."""
    values = 1000 + 0.1 * torch.randn(40, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    values[:, 1] = 3.0
    mean, deviation = channel_statistics(iter(values.split(16)))
    exact = values[:, 0].double()
    spread = exact.std(correction=0).item()
    assert mean.tolist() == pytest.approx([exact.mean().item(), 3.0])
    assert deviation.tolist() == pytest.approx([spread, 1e-3 * spread])
    _, dead = channel_statistics(iter([torch.zeros(2, 2, 4, 4)]))
    assert (dead > 0).all()


class TornFaces(RandomFaces):
    """The third picture cannot be decoded."""

    def image(self, index: int) -> np.ndarray:
        if index == 2:
            raise DamagedImage("face_2: torn")
        return super().image(index)


def test_a_damaged_face_is_stood_in_for_as_in_training() -> None:
    stage, faces = untrained(), TornFaces()
    with pytest.warns(UserWarning, match="torn; skipped"):
        set_latent_statistics(stage, faces, 4, damage=Skip(), device=CPU)
    found = latents(stage, [faces.image(index) for index in (0, 1, 3, 3)])
    torch.testing.assert_close(stage.average.network.latent_mean, found.mean((0, 2, 3)))
    with pytest.raises(DamagedImage):
        set_latent_statistics(stage, faces, 4, damage=Stop(), device=CPU)
