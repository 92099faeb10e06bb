"""Recognisers: layouts, inputs, and whether they tell persons apart."""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from src.checkpoints.catalogue import CATALOGUE
from src.faces.template import FFHQ_TEMPLATE
from src.metrics.arcface_alignment import align
from src.metrics.face_batch import Extractor
from src.metrics.identity import cosine
from src.metrics.kind import BuildContext
from src.metrics.recognisers import RECOGNISERS, AlignedEmbedder, GreyEmbedder, OwnEmbedder
from src.metrics.verification import area_under_curve
from src.networks.adaface_ir101 import AdaFaceIr101
from src.networks.arcface_resnet18 import ArcFaceResNet18
from src.networks.mobilefacenet import MobileFaceNet
from src.settings.errors import UserError

CPU = torch.device("cpu")
POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
SEPARATION = {"mobilefacenet": (0.767, 0.026, 0.527, 0.360), "dlib": (0.973, 0.832, 0.92, 0.92)}
"""Mean cosine of one person and of two, least of one, most of two, on the labelled pairs."""


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def id_pairs(shared: Path) -> tuple[dict[str, int], Tensor, Tensor]:
    """Places by file, pictures in [0, 1], landmarks."""
    folder = shared / "data" / "faces_id_pairs"
    rows = table(folder / "faces.csv")
    faces = np.stack([np.asarray(Image.open(folder / row["file"]).convert("RGB")) for row in rows])
    points = [[[float(row[f"{point}_{axis}"]) for axis in "xy"] for point in POINTS] for row in rows]
    images = torch.from_numpy(faces).permute(0, 3, 1, 2).float() / 255
    return {row["file"]: index for index, row in enumerate(rows)}, images, torch.tensor(points)


def recogniser(name: str, shared: Path) -> Extractor:
    context = BuildContext(str(shared / "weights"), CPU)
    if missing := RECOGNISERS[name].missing(context):
        pytest.skip("; ".join(missing))
    return RECOGNISERS[name].load(context)


@pytest.mark.parametrize("name", SEPARATION)
def test_it_tells_persons_apart_as_published(name: str, shared: Path) -> None:
    index, images, points = id_pairs(shared)
    embeddings = recogniser(name, shared)(images, points)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(len(index)))
    pairs = table(shared / "data" / "faces_id_pairs" / "pairs.csv")
    first, second = (embeddings[[index[pair[side]] for pair in pairs]] for side in ("file_x", "file_y"))
    cosines = cosine(first, second).numpy()
    same = np.array([pair["same"] == "1" for pair in pairs])
    found = (cosines[same].mean(), cosines[~same].mean(), cosines[same].min(), cosines[~same].max())
    np.testing.assert_allclose(found, SEPARATION[name], rtol=0, atol=0.01)
    assert area_under_curve(cosines, same) > 0.9999


def test_mobilefacenet_reproduces_the_expected_crops_and_embeddings(shared: Path) -> None:
    """The crops were cut from the photographs, of which the pictures here are smaller copies."""
    expected = np.load(shared / "weights" / "mobilefacenet" / "expected.npz")
    index, images, points = id_pairs(shared)
    chosen = [index[str(name)] for name in expected["files"]]
    crops = align(images[chosen], points[chosen]).permute(0, 2, 3, 1).numpy() * 255
    assert np.abs(crops - expected["aligned_rgb_112"]).mean() < 1
    wanted = nn.functional.normalize(torch.from_numpy(expected["embedding"]))
    assert (cosine(recogniser("mobilefacenet", shared)(images[chosen], points[chosen]), wanted) > 0.995).all()


@pytest.mark.parametrize("name", ["mobilefacenet", "dlib"])
def test_a_face_without_landmarks_among_others_gives_nan(name: str, shared: Path) -> None:
    points = torch.tensor(FFHQ_TEMPLATE).repeat(2, 1, 1) / 4
    points[1, 3, 0] = torch.nan
    torch.manual_seed(0)
    embeddings = recogniser(name, shared)(torch.rand(2, 3, 128, 128), points)
    assert embeddings[0].isfinite().all()
    assert embeddings[1].isnan().all()


class Means(nn.Module):
    """Keeps what it is shown; embeds it as the mean of every channel."""

    def forward(self, image: Tensor) -> Tensor:
        self.seen = image
        return image.mean((2, 3)) * 5


COLOUR = torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1)


@pytest.mark.parametrize(
    ("is_bgr", "expected"), [(False, [-1.0, 0.0, 1.0]), (True, [1.0, 0.0, -1.0])], ids=["rgb", "bgr"]
)
def test_aligned_recognisers_get_112_pixels_in_their_order_of_colours(is_bgr: bool, expected: list[float]) -> None:
    network = Means()
    measured = AlignedEmbedder("x", network, is_bgr=is_bgr)(COLOUR.expand(2, 3, 40, 40), None)
    assert network.seen.shape == (2, 3, 112, 112)
    torch.testing.assert_close(network.seen[0, :, 5, 5], torch.tensor(expected))
    torch.testing.assert_close(measured, torch.tensor([expected, expected]) / 2**0.5)


def test_the_rendered_recogniser_gets_the_network_range() -> None:
    measured = OwnEmbedder("rendered", Means())(COLOUR.expand(1, 3, 4, 4), None)
    torch.testing.assert_close(measured, torch.tensor([[-1.0, 0.0, 1.0]]) / 2**0.5)


def test_the_grey_recogniser_gets_levels_less_half_the_range_over_half_the_range() -> None:
    network = Means()
    levels = torch.randint(0, 256, (1, 3, 128, 128), generator=torch.Generator().manual_seed(0)).float()
    GreyEmbedder(network)(levels / 255, None)
    red, green, blue = levels[0]
    expected = (0.299 * red + 0.587 * green + 0.114 * blue - 127.5) / 127.5
    torch.testing.assert_close(network.seen[0, 0], expected)
    halves = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(1))
    GreyEmbedder(network)(halves, None)
    large = network.seen
    GreyEmbedder(network)(nn.functional.avg_pool2d(halves, 2), None)
    torch.testing.assert_close(large, network.seen)


def arcface_irse50() -> nn.Module:
    arch = pytest.importorskip("facexlib.recognition.arcface_arch")
    return arch.Backbone(num_layers=50, drop_ratio=0.6, mode="ir_se")


NETWORKS = {
    "arcface_irse50": ("arcface_ir_se50", arcface_irse50, lambda state: state),
    "arcface_resnet18_grey": (
        "arcface_resnet18",
        ArcFaceResNet18,
        lambda state: {f"module.{key}": value for key, value in without_counters(state).items()},
    ),
    "adaface_ir101": (
        "adaface_ir101",
        AdaFaceIr101,
        lambda state: {
            "state_dict": {f"model.{key}": value for key, value in state.items()} | {"head.kernel": torch.zeros(2, 2)},
            "epoch": 26,
        },
    ),
    "mobilefacenet": ("mobilefacenet", MobileFaceNet, lambda state: state),
}
"""Entry of the catalogue, network, and how its published file keeps the tensors."""


def without_counters(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}


def place(weights: str, content: object, folder: Path, monkeypatch: pytest.MonkeyPatch) -> BuildContext:
    """A folder with this file, taken for the published one."""
    monkeypatch.setitem(CATALOGUE, weights, type(CATALOGUE[weights])(file="net.pth", url="https://x.org", licence="x"))
    torch.save(content, folder / "net.pth")
    return BuildContext(str(folder), CPU)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_of_the_published_layout_is_loaded_whole(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, build, as_published = NETWORKS[name]
    torch.manual_seed(0)
    network = build().eval()
    context = place(weights, as_published(network.state_dict()), tmp_path, monkeypatch)
    embed = RECOGNISERS[name].load(context)
    assert embed.key == name
    faces = torch.rand(1, 3, 96, 96)
    with torch.inference_mode():
        shown = {"mobilefacenet": (align(faces, None) - MEAN) / DEVIATION}.get(name, align(faces, None) * 2 - 1)
        shown = shown.flip(1) if name == "adaface_ir101" else shown
        grey = nn.functional.interpolate((faces * LUMA).sum(1, keepdim=True) * 2 - 1, (128, 128), mode="bilinear")
        expected = nn.functional.normalize(network(grey if name == "arcface_resnet18_grey" else shown))
    torch.testing.assert_close(embed(faces, None), expected)


MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
DEVIATION = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
LUMA = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)


def test_a_file_of_another_network_is_refused_with_the_differences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = ArcFaceResNet18().state_dict()
    state["fc6.weight"] = state.pop("fc5.weight")
    context = place("arcface_resnet18", state, tmp_path, monkeypatch)
    with pytest.raises(
        UserError, match=r"net\.pth: not the weights of ArcFaceResNet18 \(2 differences: fc5\.weight is"
    ):
        RECOGNISERS["arcface_resnet18_grey"].load(context)


def test_what_a_recogniser_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BFR_WEIGHTS_DIR", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    context = BuildContext(str(tmp_path), CPU)
    for name in ("arcface_irse50", "adaface_ir101", "arcface_resnet18_grey"):
        entry = CATALOGUE[NETWORKS[name][0]]
        (sentence,) = RECOGNISERS[name].missing(context)
        assert all(part in sentence for part in (entry.file, entry.url, str(tmp_path / entry.folder / entry.file)))
