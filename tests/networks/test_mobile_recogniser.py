"""Face recogniser of inverted residuals."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src.networks import MobileRecogniser, Recogniser
from src.settings.scale import MobileRecogniserSize, RecogniserSize

SIZE = MobileRecogniserSize(input_size=32, width=8, expansion=2, repeats=2, embedding_dim=16)


@pytest.fixture
def network() -> MobileRecogniser:
    torch.manual_seed(0)
    return MobileRecogniser(SIZE).eval()


def faces(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


@torch.no_grad()
def test_embeddings_have_unit_norm_whatever_the_side_and_memory_order(network: MobileRecogniser) -> None:
    large = faces(3, 3, 80, 64)
    small = F.interpolate(large, (32, 32), mode="bilinear", antialias=True)
    embedding = network(large)
    assert embedding.shape == (3, 16)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(3))
    assert torch.equal(embedding, network(small))
    ordered = MobileRecogniser(SIZE).eval().to(memory_format=torch.channels_last)
    ordered.load_state_dict(network.state_dict())
    torch.testing.assert_close(ordered(small.contiguous(memory_format=torch.channels_last)), embedding)


@torch.no_grad()
def test_channels_double_where_the_side_halves(network: MobileRecogniser) -> None:
    shapes = [(8, 16), (8, 16), (16, 8), (16, 8), (32, 4), (32, 4)]
    feature = network.stem(faces(1, 3, 32, 32))
    for block, (channels, side) in zip(network.blocks, shapes, strict=True):
        feature = block(feature)
        assert feature.shape == (1, channels, side, side)
    hidden = [block.layers[-2].in_channels for block in network.blocks]
    assert hidden == [8, 8, 16, 32, 32, 64]


def test_it_shares_no_design_with_the_recogniser_that_measures(network: MobileRecogniser) -> None:
    other = Recogniser(RecogniserSize(input_size=32, width=8, embedding_dim=16))

    def layers(recogniser: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
        return [module for module in recogniser.modules() if isinstance(module, kind)]

    def dense(recogniser: nn.Module) -> int:
        """3x3 convolutions that mix channels."""
        convolutions = [layer for layer in layers(recogniser, nn.Conv2d) if isinstance(layer, nn.Conv2d)]
        return sum(layer.kernel_size == (3, 3) and layer.groups == 1 for layer in convolutions)

    assert (dense(network), dense(other)) == (1, 7)
    assert not layers(network, nn.PReLU)
    assert not layers(other, nn.ReLU)


def test_identity_gradient_reaches_the_whole_face(network: MobileRecogniser) -> None:
    image = faces(2, 3, 32, 32).requires_grad_()
    network(image)[:, 0].sum().backward()
    assert image.grad is not None
    assert (image.grad.abs().sum(1) > 0).float().mean() > 0.9


def test_it_tells_people_apart_after_a_few_steps() -> None:
    torch.manual_seed(0)
    network = MobileRecogniser(SIZE)
    people = F.interpolate(torch.rand(6, 3, 6, 6), (32, 32), mode="bicubic") * 2 - 1
    labels = torch.arange(6).repeat(4)
    same = (labels[:, None] == labels[None]).float()
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(30):
        embedding = network(people[labels] + 0.5 * torch.randn(24, 3, 32, 32))
        loss = F.mse_loss(embedding @ embedding.T, same)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        clean = network.eval()(people)
        noisy = network(people + 0.5 * torch.randn(6, 3, 32, 32))
    assert torch.equal((noisy @ clean.T).argmax(1), torch.arange(6))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_size": 60}, "input_size 60 must be a multiple of 8"),
        ({"repeats": 0}, "repeats 0 and expansion 2 must be at least 1"),
        ({"expansion": 0}, "repeats 2 and expansion 0 must be at least 1"),
    ],
)
def test_impossible_sizes_are_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MobileRecogniser(replace(SIZE, **change))
