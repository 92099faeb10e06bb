"""Every scale's networks of CLR-Face can be built, and fit together."""

from collections.abc import Iterator

import pytest
import torch

from src.config.compose import CONFIG_DIR, compose_train
from src.networks import (
    AdaptiveLatentMask,
    GlobalLatentMask,
    LatentAutoencoder,
    LatentScoreUnet,
    MobileRecogniser,
    RestorationUnet,
)
from src.networks.resolution_levels import latent_side
from src.settings.clr_face import LATENTS
from src.settings.scale import ScaleSettings

SCALES = sorted(path.stem for path in (CONFIG_DIR / "scale").glob("*.yaml"))


@pytest.fixture(scope="module", params=SCALES)
def scale(request: pytest.FixtureRequest) -> ScaleSettings:
    return compose_train([f"scale={request.param}"]).scale


@pytest.fixture(autouse=True)
def _nothing_is_computed() -> Iterator[None]:
    with torch.device("meta"):
        yield


def test_latents_have_the_factor_of_their_name(scale: ScaleSettings) -> None:
    assert tuple(scale.latent_autoencoder) == LATENTS
    for name, size in scale.latent_autoencoder.items():
        network, side = LatentAutoencoder(size), scale.image_size // int(name.removeprefix("f"))
        z = network.latent_of(torch.empty(1, 3, scale.image_size, scale.image_size))
        assert z.shape == (1, size.code_dim, side, side)
        assert latent_side(size) == side
        assert network.decoded_continuous(z).shape == (1, 3, scale.image_size, scale.image_size)


def test_score_model_and_masks_take_the_latent_f4(scale: ScaleSettings) -> None:
    size = scale.latent_autoencoder["f4"]
    channels, side = size.code_dim, scale.latent_unet.image_size
    assert side == latent_side(size)
    for conditions in (1, 2):
        network = LatentScoreUnet(scale.latent_unet, channels, conditions * channels)
        assert side % network.stride == 0
    z, part = torch.empty(2, channels, side, side), torch.empty(2)
    for mask in (GlobalLatentMask(channels, side, 1.0, 0.5), AdaptiveLatentMask(scale.latent_mask, channels, 1.0, 0.5)):
        assert mask.soft(z, part).shape == z.shape


def test_recovery_and_second_recogniser_take_the_faces(scale: ScaleSettings) -> None:
    faces = torch.empty(2, 3, scale.image_size, scale.image_size)
    assert RestorationUnet(scale.restoration_unet)(faces).shape == faces.shape
    assert MobileRecogniser(scale.mobile_recogniser)(faces).shape == (2, scale.mobile_recogniser.embedding_dim)
