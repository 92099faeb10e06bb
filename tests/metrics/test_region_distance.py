"""Distances within the eyes and the mouth."""

import math
import warnings
from collections.abc import Callable
from pathlib import Path

import lpips
import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn

from src.faces.template import FFHQ_TEMPLATE
from src.metrics.definition import MetricDefinition
from src.metrics.face_batch import FaceBatch, FeatureStore
from src.metrics.face_regions import FaceRegion, region_mask, region_mean
from src.metrics.kind import BuildContext
from src.metrics.perceptual import PerceptualDistance, PerceptualNetwork, StLpipsKind
from src.metrics.region_distance import (
    RegionDistance,
    RegionDistanceKind,
    RegionIdentityDrop,
    RegionIdentityDropKind,
)
from src.networks.st_lpips import ShiftTolerantLpips

EYES, MOUTH = FaceRegion("eyes"), FaceRegion("mouth")


def definition(name: str) -> MetricDefinition:
    return MetricDefinition(id=name, role="r", direction="lower", range="r", formula="f", source="s")


def batch(restored: Tensor, truth: Tensor, landmarks: Tensor | None = None) -> FaceBatch:
    return FaceBatch({"restored": restored, "truth": truth}, landmarks, tuple(range(len(truth))), FeatureStore())


def random_faces(count: int, side: int) -> Tensor:
    return torch.randint(0, 256, (count, 3, side, side), generator=torch.Generator().manual_seed(0)) / 255


def st_lpips() -> nn.Module:
    """With random trunk; blurs and heads as they must be, so that distances are positive."""
    torch.manual_seed(0)
    network = ShiftTolerantLpips().eval().requires_grad_(False)
    for name, values in network.state_dict().items():
        if name.endswith("filt"):
            values.fill_(1 / 9)
        if name.startswith("lin"):
            values.abs_()
    return network


@pytest.fixture(params=["vgg", "alex", "st_lpips"])
def network(request: pytest.FixtureRequest) -> nn.Module:
    if request.param == "st_lpips":
        return st_lpips()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of torchvision, about lpips
        return lpips.LPIPS(net=request.param, pnet_rand=True, verbose=False)


def test_squares_lie_around_the_landmarks_as_gfpgan_crops_them() -> None:
    """Of FFHQ's template where there are none; an edge is half a pixel from the middle of its pixel."""
    at_512 = batch(*torch.zeros(2, 1, 3, 512, 512))
    sides = torch.tensor([512.0, 512, 512, 512])
    left, right = np.array(FFHQ_TEMPLATE)[:2] + 0.5
    expected = [[*(eye - 40), *(eye + 40)] for eye in (left, right)]
    np.testing.assert_allclose((EYES.boxes(at_512)[0] * sides).numpy(), expected, rtol=1e-5)
    (mouth,) = (MOUTH.boxes(at_512)[0] * sides).numpy()
    middle = (np.array(FFHQ_TEMPLATE)[3] + np.array(FFHQ_TEMPLATE)[4]) / 2 + 0.5
    np.testing.assert_allclose(mouth, [*(middle - 60), *(middle + 60)], rtol=1e-5)
    points = torch.tensor(FFHQ_TEMPLATE)[None] / 8 + torch.tensor([3.0, -2.0])
    small, shifted = (batch(*torch.zeros(2, 1, 3, 64, 64), points + move) for move in (0, 1))
    torch.testing.assert_close(MOUTH.boxes(shifted) - MOUTH.boxes(small), torch.full((1, 1, 4), 1 / 64))


def test_a_mean_weighs_positions_by_how_far_they_are_in_the_box() -> None:
    """Against maps drawn finely enough for every edge of the boxes to lie between two dots."""
    values = torch.rand(2, 1, 5, 4, generator=torch.Generator().manual_seed(0))
    boxes = torch.tensor([[[0.1, 0.3, 0.45, 0.8], [0.6, 0.2, 1.2, 0.4]], [[0.0, 0.0, 1.0, 1.0], [0.2, 0.2, 0.25, 0.3]]])
    fine = values.repeat_interleave(20, 2).repeat_interleave(25, 3)[:, 0].numpy()
    expected = [
        np.mean(
            [
                face[round(top * 100) : round(bottom * 100), round(left * 100) : round(right * 100)].mean()
                for left, top, right, bottom in squares.tolist()
            ]
        )
        for face, squares in zip(fine, boxes, strict=True)
    ]
    np.testing.assert_allclose(region_mean(values, boxes).numpy(), expected, rtol=1e-5)
    assert region_mean(values, boxes + 2).isnan().all()


def test_a_mask_holds_the_pixels_whose_middles_are_inside() -> None:
    boxes = torch.tensor([[[0.1, 0.2, 0.4, 0.5], [0.74, 0.75, 2.0, 0.9]], [[0.0, 0.0, 1.0, math.nan]] * 2])
    expected = torch.zeros(2, 1, 10, 10, dtype=torch.bool)
    expected[0, 0, 2:5, 1:4] = True
    expected[0, 0, 7:9, 7:] = True
    assert torch.equal(region_mask(boxes, 10, 10), expected)


def test_the_whole_face_is_bit_equal_to_the_network_and_shares_its_pass(network: nn.Module) -> None:
    restored, truth = random_faces(4, 48).split(2)
    passes: list[int] = []
    network.register_forward_hook(lambda *_: passes.append(1))
    compared, faces = PerceptualNetwork("x", network), batch(restored, truth)
    metrics = [
        PerceptualDistance(compared, definition("whole")),
        RegionDistance(compared, EYES, definition("eyes")),
        RegionDistance(compared, MOUTH, definition("mouth")),
    ]
    measured = {name: values for metric in metrics for name, values in metric.measure(faces).items()}
    assert len(passes) == 1
    with torch.no_grad():
        assert torch.equal(measured["whole"], network(restored * 2 - 1, truth * 2 - 1).flatten())
    depths = compared.compare(faces).depths
    everything = torch.tensor([[[0.0, 0.0, 1.0, 1.0]]]).expand(2, 1, 4)
    torch.testing.assert_close(sum(region_mean(values, everything) for values in depths), measured["whole"])
    assert len({tuple(values.tolist()) for values in measured.values()}) == 3


def test_a_change_of_the_mouth_is_the_mouths() -> None:
    truth = random_faces(1, 128)
    restored = truth.clone()
    restored[:, :, 82:104, 50:80] = 0.5
    compared, faces = PerceptualNetwork("x", st_lpips()), batch(restored, truth)
    values = {
        region.name: RegionDistance(compared, region, definition("d")).measure(faces)["d"] for region in (EYES, MOUTH)
    }
    whole = compared.compare(faces).whole
    assert values["mouth"] > 3 * whole > 0
    assert values["eyes"] < whole / 3


def test_a_landmark_that_is_lost_loses_its_region_alone() -> None:
    points = torch.tensor(FFHQ_TEMPLATE).repeat(2, 1, 1) / 8
    points[1, 4, 0] = torch.nan
    faces = batch(*random_faces(4, 64).split(2), points)
    compared = PerceptualNetwork("x", st_lpips())
    mouth, eyes = (RegionDistance(compared, region, definition("d")).measure(faces)["d"] for region in (MOUTH, EYES))
    assert mouth.isfinite().tolist() == [True, False]
    assert eyes.isfinite().all()
    drop = RegionIdentityDrop(MeanEmbedder(), MOUTH, definition("d")).measure(faces)["d"]
    assert drop.isfinite().tolist() == [True, False]


class MeanEmbedder:
    """Embeds a face as the unit vector at the angle of its mean red level in radians; takes no notice of landmarks."""

    key = "mean"

    def __call__(self, image: Float[Tensor, "b 3 h w"], landmarks: Float[Tensor, "b 5 2"] | None) -> Tensor:
        angle = image[:, 0].double().mean((1, 2))
        return torch.stack([torch.cos(angle), torch.sin(angle)], dim=1)


def test_the_identity_that_a_region_loses_is_that_of_the_original_with_it() -> None:
    """The mouth's square has 30 x 30 of 128 x 128 pixels; what else is restored does not count."""
    truth = torch.full((2, 3, 128, 128), 0.2)
    restored = torch.ones(2, 3, 128, 128)
    metric = RegionIdentityDrop(MeanEmbedder(), MOUTH, definition("drop"))
    turned = 0.8 * 30 * 30 / 128**2
    np.testing.assert_allclose(metric.measure(batch(restored, truth))["drop"].numpy(), 1 - np.cos(turned), rtol=1e-5)
    np.testing.assert_allclose(metric.measure(batch(truth, truth))["drop"].numpy(), 1e-7, rtol=1e-6)


def test_kinds_share_the_network_of_whole_faces_which_gives_the_expected_distances(shared: Path) -> None:
    context = BuildContext(str(shared / "weights"), torch.device("cpu"))
    whole = StLpipsKind().build("st_lpips", context)
    eyes = RegionDistanceKind("st_lpips", "eyes", 64).build("st_lpips_eyes", context)
    (of_whole,), (of_eyes,) = whole.definitions, eyes.definitions
    assert (of_eyes.id, of_eyes.role, of_eyes.extractor_sha256) == (
        "st_lpips_eyes",
        "perceptual_eyes",
        of_whole.extractor_sha256,
    )
    assert of_eyes.formula.startswith(of_whole.formula)
    assert "side 64 in a face of 512" in of_eyes.formula
    expected = np.load(shared / "weights" / "stlpips" / "expected.npz")
    pair = [torch.from_numpy(expected[f"{view}_rgb_128"]).permute(0, 3, 1, 2).float() / 255 for view in "ab"]
    faces = batch(*pair)
    assert (eyes.measure(faces)["st_lpips_eyes"] > 0).all()
    network = context.shared("perceptual st_lpips_alex", lambda: None)
    assert isinstance(network, PerceptualNetwork)
    np.testing.assert_allclose(whole.measure(faces)["st_lpips"].numpy(), expected["distance"], rtol=0, atol=1e-6)


BAD: dict[str, Callable[[], object]] = {
    "network 'resnet' is not one of vgg, alex, st_lpips": lambda: RegionDistanceKind("resnet", "eyes"),
    "region 'nose' is not one of eyes, mouth": lambda: RegionDistanceKind("vgg", "nose"),
    "size 0 is not between 0 and 512": lambda: RegionIdentityDropKind("rendered", "eyes", 0),
    "recogniser 'x' is not one of rendered": lambda: RegionIdentityDropKind("x", "eyes"),
}


@pytest.mark.parametrize("message", BAD)
def test_wrong_options_are_named(message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BAD[message]()
