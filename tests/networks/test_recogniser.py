"""Small face recogniser."""

import pytest
import torch
import torch.nn.functional as F

from src.networks import Recogniser
from src.settings.scale import RecogniserSize

SIZE = RecogniserSize(input_size=64, width=24, embedding_dim=64)


def test_embeddings_have_unit_norm_and_the_network_is_small() -> None:
    network = Recogniser(SIZE).eval()
    embedding = network(torch.rand(3, 3, 64, 64) * 2 - 1)
    assert embedding.shape == (3, 64)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(3))
    assert 150_000 <= sum(p.numel() for p in network.parameters()) <= 250_000


def test_larger_faces_are_resized_with_antialiasing() -> None:
    network = Recogniser(SIZE).eval()
    large = torch.rand(2, 3, 160, 128) * 2 - 1
    small = F.interpolate(large, (64, 64), mode="bilinear", antialias=True)
    assert torch.equal(network(large), network(small))


def test_identity_gradient_reaches_the_image() -> None:
    network = Recogniser(SIZE).eval()
    image = (torch.rand(2, 3, 96, 96) * 2 - 1).requires_grad_()
    network(image)[:, 0].sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0


def test_it_separates_two_patterns_after_a_few_steps() -> None:
    torch.manual_seed(0)
    network = Recogniser(RecogniserSize(input_size=32, width=8, embedding_dim=16))
    templates = torch.rand(2, 3, 32, 32) * 2 - 1
    labels = torch.tensor([0, 1] * 8)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(20):
        embedding = network(templates[labels] + 0.3 * torch.randn(16, 3, 32, 32))
        same = labels[:, None] == labels[None]
        loss = F.mse_loss(embedding @ embedding.T, same.float() * 2 - 1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    first, second = network.eval()(templates)
    assert first @ second < 0


def test_an_input_size_that_does_not_halve_is_refused() -> None:
    with pytest.raises(ValueError, match="input_size 60 must be a multiple of 8"):
        Recogniser(RecogniserSize(input_size=60, width=8, embedding_dim=8))
