"""Feature spaces: unit vectors of frozen networks."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from src.checkpoints.catalogue import find_weights, load_weights
from src.faces import render_face
from src.losses.image_similarity import feature_cosine, gaussian_blur
from src.metric_learning.feature_space import (
    FeatureSpace,
    IdentitySpace,
    PixelSpace,
    StLpipsSpace,
    Vgg19Space,
    cosines,
    layer_cosines,
)
from src.networks.recogniser import Recogniser
from src.networks.st_lpips import ShiftTolerantLpips
from src.networks.vgg19_features import IMAGENET_MEAN, IMAGENET_STD, Vgg19Features, load_vgg19_features
from src.settings.scale import RecogniserSize

WEIGHTS = str(Path(__file__).resolve().parents[2].parent / "shared" / "weights")
KINDS = ("vgg19", "st_lpips", "identity", "pixels")


def draw_weights(network: nn.Module) -> None:
    """Random weights under which signals neither die nor explode over many layers."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.1)


@pytest.fixture(scope="module")
def vgg19() -> Vgg19Features:
    network = Vgg19Features()
    draw_weights(network)
    return network


@pytest.fixture(scope="module")
def st_lpips() -> ShiftTolerantLpips:
    if not find_weights("st_lpips_alex", WEIGHTS):
        pytest.skip("the weights of ST-LPIPS are in neither ../shared/weights nor an installed package")
    network = ShiftTolerantLpips()
    network.load_state_dict(load_weights("st_lpips_alex", WEIGHTS))
    return network


@pytest.fixture(params=KINDS)
def space(request: pytest.FixtureRequest) -> FeatureSpace:
    if request.param == "vgg19":
        return Vgg19Space(request.getfixturevalue("vgg19"))
    if request.param == "st_lpips":
        return StLpipsSpace(request.getfixturevalue("st_lpips"))
    if request.param == "identity":
        torch.manual_seed(0)
        return IdentitySpace(Recogniser(RecogniserSize(input_size=32, width=4, embedding_dim=8)))
    return PixelSpace()


def images(count: int) -> Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_vectors_have_unit_norm_at_every_position(space: FeatureSpace) -> None:
    maps = space(images(2).bfloat16().float())
    assert len(maps) == {"vgg19": 3, "st_lpips": 5}.get(space.name, 1)
    for features in maps:
        torch.testing.assert_close(features.norm(dim=1), torch.ones_like(features[:, 0]))


def test_a_face_does_not_depend_on_its_batch(space: FeatureSpace) -> None:
    faces = images(3)
    together = layer_cosines(space(faces), space(faces.flip(3)))
    alone = [layer_cosines(space(face[None]), space(face[None].flip(3))) for face in faces]
    torch.testing.assert_close(together, torch.cat(alone))
    assert together.std(0).gt(0).all()


def test_the_network_stays_frozen_and_the_gradient_reaches_the_image(space: FeatureSpace) -> None:
    nn.ModuleList([space]).train()
    assert not any(module.training for module in space.modules())
    assert not any(parameter.requires_grad for parameter in space.parameters())
    image, other = images(2).split(1)
    image.requires_grad_()
    (gradient,) = torch.autograd.grad(cosines(space(image), space(other)).sum(), image)
    with torch.no_grad():
        near, nearer = (
            cosines(space(face), space(other)) for face in (image, image + 0.1 * gradient / gradient.norm())
        )
    assert nearer > near


@pytest.mark.parametrize("level", [-1.0, 0.0, 1.0])
def test_the_gradient_of_a_constant_face_is_finite(space: FeatureSpace, level: float) -> None:
    image = torch.full((1, 3, 32, 32), level, requires_grad=True)
    (gradient,) = torch.autograd.grad(cosines(space(image), space(images(1))).sum(), image)
    assert gradient.isfinite().all()


def test_cosines_in_closed_form() -> None:
    first = [torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]]), torch.tensor([[[[1.0]], [[0.0]]]])]
    second = [torch.tensor([[[[1.0, 1.0]], [[0.0, 0.0]]]]), torch.tensor([[[[-0.6]], [[0.8]]]])]
    torch.testing.assert_close(layer_cosines(first, second), torch.tensor([[0.5, -0.6]]))
    torch.testing.assert_close(cosines(first, second), torch.tensor([-0.05]))


def test_cosines_are_those_that_registration_compares_features_by(space: FeatureSpace) -> None:
    first, second = images(4).split(2)
    torch.testing.assert_close(cosines(space(first), space(second)), feature_cosine(first, second, space.features))


def test_an_embedding_need_not_be_a_module() -> None:
    image = images(2)
    space = IdentitySpace(lambda face: face.mean((2, 3)))
    expected = cosine_similarity(image[:1].mean((2, 3)), image[1:].mean((2, 3)))
    torch.testing.assert_close(cosines(space(image[:1]), space(image[1:])), expected)


def test_vgg19_gives_the_activations_of_torchvisions_classifier() -> None:
    """Named by counting convolutions between poolings, as VGG's layers are."""
    from torchvision.models import vgg19

    with torch.device("meta"):
        classifier = vgg19(weights=None)
    assert isinstance(classifier.features, nn.Sequential)
    trunk = classifier.features[:28].to_empty(device="cpu")
    draw_weights(trunk)
    image = images(1)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    hidden, found, block, layer = ((image + 1) / 2 - mean) / std, {}, 1, 0
    with torch.no_grad():
        for module in trunk:
            hidden = module(hidden.clone())
            block, layer = (block + 1, 0) if isinstance(module, nn.MaxPool2d) else (block, layer)
            layer += isinstance(module, nn.Conv2d)
            if isinstance(module, nn.ReLU):
                found[f"relu{block}_{layer}"] = hidden
        state = {f"features.{key}": value for key, value in trunk.state_dict().items()}
        network = load_vgg19_features(state | {"classifier.0.weight": torch.zeros(1)})
        assert not network.training
        for name, features in zip(("relu2_2", "relu3_4", "relu4_4"), network(image), strict=True):
            torch.testing.assert_close(features, found[name])


def test_features_see_texture_that_pixels_do_not(st_lpips: ShiftTolerantLpips) -> None:
    """Why the sheet compares features: a blurred face is the same to pixels."""
    face = torch.from_numpy(render_face(0, 11, 1, 64).image).permute(2, 0, 1)[None].float() / 127.5 - 1
    blurred = gaussian_blur(face, 1.5)
    by_pixels, by_features = (cosines(s(face), s(blurred)).item() for s in (PixelSpace(), StLpipsSpace(st_lpips)))
    assert by_pixels > 0.95
    assert by_features < by_pixels - 0.1
