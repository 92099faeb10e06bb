"""Which recogniser an identity loss takes."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from src.checkpoints.catalogue import CATALOGUE
from src.checkpoints.files import sha256_of
from src.metrics.identity_loss import PUBLISHED, build_identity_loss, published_guide_sha256
from src.metrics.recognisers import RECOGNISERS
from src.networks.mobilefacenet import MobileFaceNet
from src.settings.errors import UserError


class Means(nn.Module):
    """Embeds a face as its mean colour."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, image: Tensor) -> Tensor:
        return nn.functional.normalize(image.mean((2, 3)) * self.scale)


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with random weights under the published name of MobileFaceNet, and no others anywhere."""
    monkeypatch.setenv("BFR_WEIGHTS_DIR", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("mobilefacenet", "arcface_resnet18"):
        entry = type(CATALOGUE[name])(file=f"{name}.pth", url="https://x.org", licence="x")
        monkeypatch.setitem(CATALOGUE, name, entry)
    torch.manual_seed(0)
    torch.save(MobileFaceNet().state_dict(), tmp_path / "mobilefacenet.pth")
    return tmp_path


def test_a_trained_recogniser_is_frozen_and_guides_in_the_network_range() -> None:
    network = Means()
    loss = build_identity_loss(None, network)
    faces, target = torch.rand(2, 2, 3, 8, 8) * 2 - 1
    assert loss.name == "trained"
    assert not any(parameter.requires_grad for parameter in network.parameters())
    expected = 1 - (network(faces) * network(target)).sum(1).mean()
    torch.testing.assert_close(loss(faces, target), expected)
    torch.testing.assert_close(
        build_identity_loss(None, network, "trained", key="guide.network")(faces, target), expected
    )


def test_a_published_recogniser_is_taken_by_name_or_as_the_first_at_hand(weights: Path) -> None:
    """Both are the network that `id_mobilefacenet` measures with, and have a gradient; its hash says so in records."""
    faces = torch.rand(2, 3, 64, 64).requires_grad_()
    named, found = build_identity_loss(str(weights), None, "mobilefacenet"), build_identity_loss(str(weights), None)
    assert named.name == found.name == "mobilefacenet"
    torch.testing.assert_close(named.embed(faces), found.embed(faces))
    torch.testing.assert_close(named.embed(faces).norm(dim=1), torch.ones(2))
    (gradient,) = torch.autograd.grad(named(faces, torch.rand(2, 3, 64, 64)), faces)
    assert gradient.isfinite().all()
    assert gradient.abs().sum() > 0
    assert published_guide_sha256("mobilefacenet", str(weights)) == sha256_of(weights / "mobilefacenet.pth")


def test_what_cannot_guide_is_refused_with_the_key(weights: Path) -> None:
    with pytest.raises(
        UserError, match=r"guide\.network: arcface_resnet18_grey cannot guide: arcface_resnet18\.pth is missing"
    ):
        build_identity_loss(str(weights), None, "arcface_resnet18_grey", key="guide.network")
    with pytest.raises(UserError, match=r"guide\.network: 'dlib' is neither trained nor one of arcface_resnet18_grey"):
        build_identity_loss(str(weights), None, "dlib", key="guide.network")
    (weights / "mobilefacenet.pth").unlink()
    with pytest.raises(UserError, match=r"texture_fusion\.identity: none of arcface_resnet18_grey, mobilefacenet has"):
        build_identity_loss(str(weights), None)
    assert set(PUBLISHED) < set(RECOGNISERS)
