"""DISTS."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torchmetrics.functional.image.dists as reference
from torch import Tensor, nn
from torchvision.models.vgg import cfgs, make_layers

from src.checkpoints.catalogue import CATALOGUE, load_weights
from src.metrics.dists import WEIGHTS, DistsKind, L2Pooling, channel_similarity, load_dists
from src.metrics.face_batch import FaceBatch, FeatureStore
from src.metrics.kind import BuildContext
from src.metrics.pyiqa_weights import joint_sha256


class Classifier(nn.Module):
    """VGG16 as torchvision lays it out, with random weights and without the large layers that nobody asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.features = make_layers(cfgs["D"], batch_norm=False)
        self.classifier = nn.Linear(2, 2)


@pytest.fixture(scope="module")
def trunk() -> Classifier:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Classifier().eval()


def faces(n: int, side: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    truth = torch.rand(n, 3, side, side, generator=generator)
    return (truth + 0.2 * torch.rand(truth.shape, generator=generator)).clamp(0, 1), truth


def test_distances_equal_torchmetrics_with_the_same_weights(trunk: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "vgg16", lambda weights: trunk)
    expected_network = reference.DISTSNetwork(load_weights=True)
    channels = {"alpha": expected_network.alpha.data, "beta": expected_network.beta.data}
    restored, truth = faces(2, 50)
    with torch.inference_mode():
        expected = expected_network(restored, truth)
        measured = load_dists(trunk.state_dict(), channels)(restored, truth)
    torch.testing.assert_close(measured, expected, rtol=0, atol=1e-5)
    assert (measured > 0.005).all()


def test_the_channels_weights_come_with_a_package_and_the_trunk_from_a_file(
    trunk: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise AssertionError("the network was asked")

    for key in ("TORCH_HOME", "BFR_WEIGHTS_DIR"):
        monkeypatch.setenv(key, str(tmp_path / "elsewhere"))
    monkeypatch.setattr("socket.create_connection", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    context = BuildContext(str(tmp_path), torch.device("cpu"))
    (sentence,) = DistsKind().missing(context)
    entry = CATALOGUE["vgg16"]
    assert all(text in sentence for text in (entry.file, entry.url, str(tmp_path / entry.file)))
    # Random weights cannot bear the published hash.
    monkeypatch.setattr("src.checkpoints.catalogue.expected_sha256", lambda name, path: None)
    torch.save(trunk.state_dict(), tmp_path / entry.file)
    assert not DistsKind().missing(context)
    metric = DistsKind().build("dists", context)
    restored, truth = faces(2, 32)
    measured = metric.measure(FaceBatch({"restored": restored, "truth": truth}, None, (0, 1), FeatureStore()))
    expected = load_dists(trunk.state_dict(), load_weights("dists", None))(restored, truth)
    torch.testing.assert_close(measured["dists"], expected.detach())
    (definition,) = metric.definitions
    assert definition.direction == "lower"
    assert definition.extractor_sha256 == joint_sha256([context.sha256(name) for name in WEIGHTS])


def test_equal_images_have_no_distance_and_faces_do_not_mix(trunk: Classifier) -> None:
    network = load_dists(trunk.state_dict(), load_weights("dists", None))
    restored, truth = faces(3, 16)
    with torch.inference_mode():
        torch.testing.assert_close(network(truth, truth), torch.zeros(3), rtol=0, atol=1e-6)
        torch.testing.assert_close(network(restored[1:2], truth[1:2]), network(restored, truth)[1:2], rtol=0, atol=1e-6)


def test_pooling_keeps_constants_inside_and_halves_rounded_up() -> None:
    pooled = L2Pooling()(torch.full((1, 2, 7, 8), -3.0))
    assert pooled.shape == (1, 2, 4, 4)
    torch.testing.assert_close(pooled[:, :, 1:-1, 1:], torch.full((1, 2, 2, 3), 3.0))


def test_similarities_of_channels_have_their_closed_form() -> None:
    generator = torch.Generator().manual_seed(2)
    x = torch.rand(1, 2, 9, 9, generator=generator, dtype=torch.float64)
    texture, structure = channel_similarity(x, 2 * x)
    torch.testing.assert_close(texture, torch.full((1, 2), 0.8, dtype=torch.float64), rtol=1e-5, atol=0)
    torch.testing.assert_close(structure, torch.full((1, 2), 0.8, dtype=torch.float64), rtol=1e-4, atol=0)
    _, opposite = channel_similarity(x, 1 - x)
    torch.testing.assert_close(opposite, -torch.ones(1, 2, dtype=torch.float64), rtol=1e-4, atol=0)


def test_weights_of_another_network_are_refused(trunk: Classifier) -> None:
    channels = load_weights("dists", None)
    with pytest.raises(KeyError, match=r"features\.0\.weight"):
        load_dists({"layer1.weight": torch.zeros(1)}, channels)
    assert set(channels) == {"alpha", "beta"}
