"""MobileFaceNet."""

from pathlib import Path

import numpy as np
import pytest
import torch

from src.checkpoints.catalogue import load_weights
from src.networks.mobilefacenet import MobileFaceNet


def test_embeddings_equal_the_published_networks(shared: Path) -> None:
    network = MobileFaceNet()
    weights = load_weights("mobilefacenet", str(shared / "weights"))
    assert len(weights) == 307
    network.load_state_dict(weights)
    network.eval().requires_grad_(False)
    expected = np.load(shared / "weights" / "mobilefacenet" / "expected.npz")
    levels = expected["aligned_rgb_112"] / 255
    faces = (levels - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    batch = torch.from_numpy(faces).float().permute(0, 3, 1, 2)
    np.testing.assert_allclose(network(batch).numpy(), expected["embedding"], rtol=0, atol=2e-5)


def test_it_has_a_million_parameters_and_a_gradient_to_the_face() -> None:
    torch.manual_seed(0)
    network = MobileFaceNet().eval()
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(1.0e6, rel=0.03)
    face = torch.rand(1, 3, 112, 112, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(face).pow(2).sum(), face)
    assert gradient.isfinite().all()
    assert gradient.abs().sum() > 0
