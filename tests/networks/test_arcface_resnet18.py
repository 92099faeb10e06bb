"""ArcFace's ResNet-18 of grey faces."""

import torch

from src.networks.arcface_resnet18 import ArcFaceResNet18


def test_its_layout_is_the_one_of_the_published_file() -> None:
    """Counted by hand from the description: the stem, 8 blocks of 2 convolutions, 3 projections and the head."""
    network = ArcFaceResNet18()
    shapes = {name: tuple(parameter.shape) for name, parameter in network.named_parameters()}
    assert shapes["conv1.weight"] == (64, 1, 3, 3)
    assert shapes["prelu.weight"] == (1,)
    assert shapes["layer2.0.conv1.weight"] == (64, 64, 3, 3)
    assert shapes["layer2.0.conv2.weight"] == (128, 64, 3, 3)
    assert shapes["layer4.0.downsample.0.weight"] == (512, 256, 1, 1)
    assert shapes["fc5.weight"] == (512, 512 * 8 * 8)
    assert {name.split(".")[0] for name in shapes} == {
        *("conv1", "bn1", "prelu", "layer1", "layer2", "layer3", "layer4", "bn4", "fc5", "bn5")
    }
    widths = ((64, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512))
    blocks = sum(9 * a * a + 9 * a * b + 2 * (a + a + b) + 1 + (a * b + 2 * b) * (a != b) for a, b in widths)
    stem, head = 9 * 64 + 2 * 64 + 1, 2 * 512 + 512 * (512 * 64 + 1) + 2 * 512
    assert sum(parameter.numel() for parameter in network.parameters()) == stem + blocks + head


def test_every_face_has_its_own_embedding_with_a_gradient() -> None:
    torch.manual_seed(0)
    network = ArcFaceResNet18().eval()
    faces = (torch.rand(2, 1, 128, 128) * 2 - 1).requires_grad_()
    embeddings = network(faces)
    torch.testing.assert_close(embeddings[1:], network(faces[1:]))
    (gradient,) = torch.autograd.grad(embeddings[0].sum(), faces)
    assert gradient[0].abs().sum() > 0
    assert not gradient[1].any()
