"""Perceptual training losses and the choice of their network."""

import pytest
import torch
from torch import Tensor, nn

from src.checkpoints import catalogue
from src.losses.perceptual import LpipsVggLoss, PerceptualLoss, StLpipsLoss
from src.metrics import perceptual_network
from src.metrics.perceptual_network import build_perceptual
from src.networks.st_lpips import ShiftTolerantLpips
from src.settings.errors import UserError


class MeanSquare(nn.Module):
    """A distance in closed form, in LPIPS's shape, with something to train and something that acts in training."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(3.0))
        self.dropout = nn.Dropout()

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return self.scale * self.dropout((first - second) ** 2).mean((1, 2, 3), keepdim=True)


def random_pair() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    restored, target = (torch.rand(2, 3, 8, 8) * 2 - 1 for _ in range(2))
    return restored.requires_grad_(), target.requires_grad_()


def test_lpips_sees_images_normalised_twice() -> None:
    """codeformer.md 2.1: [0, 1], then ImageNet's mean and deviation, then LPIPS's own scaling."""
    restored, target = random_pair()
    loss = LpipsVggLoss(MeanSquare())(restored, target)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    difference = (restored - target) / 2 / std  # the mean cancels in a difference
    torch.testing.assert_close(loss, 3 * (difference**2).mean())


def test_the_mean_of_imagenet_becomes_zero() -> None:
    class Keep(nn.Module):
        def forward(self, first: Tensor, second: Tensor) -> Tensor:
            self.seen = first
            return (first - second).mean((1, 2, 3))

    network = Keep()
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    LpipsVggLoss(network)(mean * 2 - 1, torch.zeros(1, 3, 4, 4))
    torch.testing.assert_close(network.seen, torch.zeros(1, 3, 4, 4), atol=1e-6, rtol=0)


def test_the_gradient_flows_to_the_restored_image_only() -> None:
    restored, target = random_pair()
    loss = LpipsVggLoss(MeanSquare())
    loss(restored, target).backward()
    assert restored.grad is not None
    assert restored.grad.any()
    assert target.grad is None
    assert all(parameter.grad is None for parameter in loss.parameters())


@pytest.mark.parametrize("kind", [LpipsVggLoss, StLpipsLoss])
def test_the_network_stays_frozen(kind: type[PerceptualLoss]) -> None:
    loss = LpipsVggLoss(MeanSquare()) if kind is LpipsVggLoss else StLpipsLoss(ShiftTolerantLpips())
    parent = nn.ModuleList([loss, nn.Linear(1, 1)]).train()
    assert parent[1].training
    assert not any(module.training for module in loss.modules())
    assert not any(parameter.requires_grad for parameter in loss.parameters())
    assert loss.train() is loss
    assert loss.name == {LpipsVggLoss: "lpips_vgg", StLpipsLoss: "st_lpips"}[kind]


def test_st_lpips_is_the_mean_over_the_batch() -> None:
    torch.manual_seed(0)
    network = ShiftTolerantLpips()
    for filter_ in network.net.buffers():
        filter_.fill_(1 / 9)
    restored, target = torch.rand(2, 2, 3, 40, 40) * 2 - 1
    loss = StLpipsLoss(network)(restored, target)
    torch.testing.assert_close(loss, network(restored, target).mean())
    assert loss != 0


def with_weights(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Only these weights are found; loading gives blank networks."""
    for module in (perceptual_network, catalogue):
        monkeypatch.setattr(module, "find_weights", lambda name, where: "found" if name in names else None)
    monkeypatch.setattr(perceptual_network, "load_lpips", lambda trunk, where: {"vgg": MeanSquare()}[trunk])
    monkeypatch.setattr(perceptual_network, "load_st_lpips", lambda where: ShiftTolerantLpips())


@pytest.mark.parametrize(
    ("found", "chosen"), [(("vgg16", "st_lpips_alex"), "lpips_vgg"), (("st_lpips_alex", "alexnet"), "st_lpips")]
)
def test_auto_takes_the_best_at_hand(monkeypatch: pytest.MonkeyPatch, found: tuple[str, ...], chosen: str) -> None:
    with_weights(monkeypatch, *found)
    loss = build_perceptual("auto", None)
    assert loss is not None
    assert loss.name == chosen


def test_auto_without_weights_warns_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with_weights(monkeypatch)
    with pytest.warns(UserWarning, match="goes on without a perceptual loss"):
        assert build_perceptual("auto", None) is None


def test_none_needs_no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    with_weights(monkeypatch)
    assert build_perceptual("none", None) is None


@pytest.mark.parametrize(
    ("network", "file"), [("lpips_vgg", "vgg16-397923af.pth"), ("st_lpips", "alex_shift_tolerant.pth")]
)
def test_a_network_named_explicitly_must_have_its_weights(
    monkeypatch: pytest.MonkeyPatch, network: str, file: str
) -> None:
    if network == "lpips_vgg":
        pytest.importorskip("lpips")
    monkeypatch.setattr(catalogue, "find_weights", lambda name, where: None)
    with pytest.raises(UserError, match=f"{file} is missing: .*fetch https"):
        build_perceptual(network, None)
