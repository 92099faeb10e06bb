"""Landmarks, and how far they move."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from src.checkpoints.catalogue import CATALOGUE
from src.faces.renderer import render_face
from src.metrics import landmark_networks
from src.metrics.definition import MetricDefinition
from src.metrics.face_batch import FaceBatch, FeatureStore
from src.metrics.kind import BuildContext
from src.metrics.landmark_distance import LandmarkDistance, LandmarkDistanceKind
from src.metrics.landmark_networks import LANDMARK_NETWORKS, HeatmapLandmarks, heatmap_places, resized
from src.metrics.suite import MetricSuite
from src.settings.errors import UserError

CPU = torch.device("cpu")


def gaussians(centres: Tensor, side: int, height: float = 1.0) -> Tensor:
    """One blob a centre (x, y), in cells, (0.5, 0.5) in the middle of the first."""
    cells = torch.arange(side) + 0.5
    x, y = (torch.exp(-((cells - place[..., None]) ** 2) / 8) for place in centres.unbind(-1))
    return height * y[..., :, None] * x[..., None, :]


def test_places_equal_facexlibs_away_from_the_border(monkeypatch: pytest.MonkeyPatch) -> None:
    awing = pytest.importorskip("facexlib.alignment.awing_arch")
    monkeypatch.setattr(np, "float", float, raising=False)  # which facexlib still asks of numpy
    centres = 8 + 48 * torch.rand(3, 98, 2, generator=torch.Generator().manual_seed(0))
    heatmaps = gaussians(centres, 64)
    found = heatmap_places(heatmaps)
    np.testing.assert_allclose(found.numpy(), awing.calculate_points(heatmaps.numpy()), atol=1e-6)
    assert (found - centres).abs().max() <= 0.25 + 1e-5


def test_a_peak_at_the_border_does_not_move_towards_it() -> None:
    heatmaps = torch.zeros(1, 2, 4, 6)
    heatmaps[0, 0, 0, 5] = heatmaps[0, 1, 2, 0] = 1
    heatmaps[0, 1, 1, 0] = 0.5
    torch.testing.assert_close(heatmap_places(heatmaps), torch.tensor([[[5.5, 0.5], [0.5, 2.25]]]))


class ShiftedHeatmaps(nn.Module):
    """98 blobs, moved by the red and green level in cells and a hundredth of the blue one high; the outline is higher."""

    def forward(self, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        assert image.shape[2:] == (256, 256)
        red, green, blue = (image.mean((2, 3)) * 255).round().unbind(1)
        start = 20 + 20 * torch.rand(98, 2, generator=torch.Generator().manual_seed(0)).floor()
        centres = start + 0.5 + torch.stack([red, green], dim=1)[:, None]
        heatmaps = gaussians(centres, 64) * blue[:, None, None, None] / 100
        outline = torch.full((len(image), 1, 64, 64), 9.0)
        return [torch.rand(len(image), 99, 64, 64), torch.cat([heatmaps, outline], dim=1)], []


def distance(finder: HeatmapLandmarks) -> LandmarkDistance:
    definition = MetricDefinition(id="lmd", role="r", direction="lower", range="r", formula="f", source="s")
    return LandmarkDistance(finder, definition)


def plain(*colours: tuple[int, int, int]) -> Tensor:
    return torch.tensor(colours, dtype=torch.uint8).view(-1, 3, 1, 1).expand(-1, 3, 32, 32)


def test_a_move_of_three_and_four_cells_is_forty_pixels_of_a_face_of_512_and_lost_faces_are_counted() -> None:
    suite = MetricSuite([distance(HeatmapLandmarks("x", ShiftedHeatmaps()))], CPU)
    evaluator = suite.evaluator("benchmark")
    truth = plain((0, 0, 100), (0, 0, 100), (0, 0, 19))
    evaluator.update([0, 1, 2], plain((3, 4, 21), (3, 4, 19), (0, 0, 100)), truth)
    result = evaluator.compute()
    np.testing.assert_allclose(result.per_image["lmd"], [40, np.nan, np.nan], atol=1e-4)
    assert result.failures == {"lmd": 2}


def test_facexlibs_network_is_filled_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    awing = pytest.importorskip("facexlib.alignment.awing_arch")
    torch.manual_seed(0)
    network = awing.FAN(num_modules=4, num_landmarks=98, device="cpu").eval()
    nn.init.constant_(network.l3.bias, 1.0)  # so that its peaks count as found
    entry = type(CATALOGUE["landmarks_wflw"])(file="net.pth", url="https://x.org", licence="x")
    monkeypatch.setitem(CATALOGUE, "landmarks_wflw", entry)
    torch.save({"state_dict": network.state_dict()}, tmp_path / "net.pth")
    context = BuildContext(str(tmp_path), CPU)
    face = torch.rand(1, 3, 64, 64)
    rows = LANDMARK_NETWORKS["wflw98"].load(context)(face, None)
    with torch.inference_mode():
        heatmaps = network(resized(face, 256))[0][-1][:, :-1]
    assert torch.equal(rows, (heatmap_places(heatmaps) * 8).flatten(1))
    torch.save({"state_dict": network.state_dict() | {"more": torch.zeros(1)}}, tmp_path / "net.pth")
    with pytest.raises(UserError, match="not the weights of FAN \\(1 differences: more is unknown"):
        LANDMARK_NETWORKS["wflw98"].load(context)


def rendered(count: int) -> Tensor:
    pictures = [torch.tensor(render_face(identity, 0, 0, 64).image) for identity in range(count)]
    return torch.stack(pictures).permute(0, 3, 1, 2).float() / 255


def test_mtcnn_follows_a_move_of_small_faces_and_says_where_there_is_none() -> None:
    pytest.importorskip("facenet_pytorch")
    metric = LandmarkDistanceKind("mtcnn5").build("lmd5_mtcnn", BuildContext(None, CPU))
    truth = rendered(3)
    moved = truth.roll((3, 4), (2, 3))
    moved[2] = 0.5
    faces = FaceBatch({"restored": moved, "truth": truth}, None, (0, 1, 2), FeatureStore())
    measured = metric.measure(faces)["lmd5_mtcnn"].numpy()
    np.testing.assert_allclose(measured[:2], 8 * 5, atol=8)
    assert np.isnan(measured[2])
    same = FaceBatch({"restored": truth, "truth": truth}, None, (3, 4, 5), FeatureStore())
    assert not metric.measure(same)["lmd5_mtcnn"].any()
    (definition,) = metric.definitions
    assert (definition.role, definition.direction, len(definition.extractor_sha256 or "")) == ("landmarks", "lower", 64)


def test_mtcnn_finds_the_landmarks_of_photographs(shared: Path) -> None:
    """Those of the data set were found by the same cascade in the pictures before they were aligned."""
    pytest.importorskip("facenet_pytorch")
    folder = shared / "data" / "faces_hq"
    rows = list(csv.DictReader((folder / "faces.csv").read_text().splitlines()))[:6]
    pictures = [torch.tensor(np.array(Image.open(folder / row["file"]).convert("RGB"))) for row in rows]
    found = LANDMARK_NETWORKS["mtcnn5"].load(BuildContext(None, CPU))(
        torch.stack(pictures).permute(0, 3, 1, 2).float() / 255, None
    )
    names = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
    expected = [[[float(row[f"{name}_{axis}"]) + 0.5 for axis in "xy"] for name in names] for row in rows]
    apart = np.linalg.norm(found.unflatten(1, (5, 2)).numpy() - 2 * np.array(expected), axis=2)
    assert apart.mean() < 4
    assert apart.max() < 12


class Mirrored(nn.Module):
    """Two points a face in pixels: its red and green level, the other way round in the second one."""

    def forward(self, image: Tensor) -> Tensor:
        assert image.min() < 0, "the network takes faces in [-1, 1]"
        red, green, _ = ((image.mean((2, 3)) + 1) * 127.5).unbind(1)
        return torch.stack([torch.stack([red, green], dim=1), torch.stack([green, red], dim=1)], dim=1)


def test_the_detector_of_rendered_faces_measures_in_pixels_of_a_face_of_512() -> None:
    context = BuildContext(None, CPU, landmark_detector=(Mirrored(), "ab" * 32))
    metric = LandmarkDistanceKind("rendered68").build("lmd68_rendered", context)
    restored, truth = plain((3, 4, 0), (9, 9, 9)).float() / 255, plain((0, 0, 9), (9, 9, 9)).float() / 255
    faces = FaceBatch({"restored": restored, "truth": truth}, None, (0, 1), FeatureStore())
    measured = metric.measure(faces)["lmd68_rendered"]
    np.testing.assert_allclose(measured.numpy(), [5 * 512 / 32, 0], atol=1e-3)
    assert metric.definitions[0].extractor_sha256 == "ab" * 32


def test_what_is_missing_or_unknown_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BFR_WEIGHTS_DIR", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    context = BuildContext(str(tmp_path), CPU)
    entry = CATALOGUE["landmarks_wflw"]
    (sentence,) = LandmarkDistanceKind("wflw98").missing(context)
    assert all(part in sentence for part in (entry.file, entry.url, str(tmp_path)))
    monkeypatch.setattr(landmark_networks, "find_spec", lambda name: None)
    (sentence,) = LandmarkDistanceKind("mtcnn5").missing(context)
    assert "pip install --no-deps facenet-pytorch==2.6.0" in sentence
    (sentence,) = LandmarkDistanceKind("rendered68").missing(context)
    assert "python -m src.train stage=landmark_detector" in sentence
    with pytest.raises(ValueError, match="landmarks 'dlib68' is not one of rendered68, wflw98, mtcnn5"):
        LandmarkDistanceKind("dlib68")
