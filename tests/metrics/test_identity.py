"""Alignment, embeddings and angles of faces."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from src.checkpoints.catalogue import load_weights
from src.faces.template import FFHQ_TEMPLATE
from src.metrics.identity import (
    ARCFACE_TEMPLATE,
    ArcFaceEmbedder,
    MobileFaceNetEmbedder,
    RenderedFaceEmbedder,
    align,
    cosine,
    degrees,
    identity_definitions,
    similarity_transform,
)
from src.metrics.verification import area_under_curve

POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")


def blobs(points: np.ndarray, height: int, width: int, sigma: float) -> np.ndarray:
    """One Gaussian blob a channel of a point, (5, h, w)."""
    y, x = np.mgrid[:height, :width]
    return np.stack([np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2)) for px, py in points])


def centres(planes: np.ndarray) -> np.ndarray:
    """Centre of mass of every plane, (x, y)."""
    y, x = np.mgrid[: planes.shape[1], : planes.shape[2]]
    mass = planes.sum((1, 2))
    return np.stack([(planes * x).sum((1, 2)) / mass, (planes * y).sum((1, 2)) / mass], axis=1)


def moved(points: np.ndarray, scale: float, angle: float, shift: tuple[float, float]) -> np.ndarray:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * points @ turn.T + np.array(shift)


def test_a_similarity_is_recovered_exactly() -> None:
    source = np.array(FFHQ_TEMPLATE)
    scale, angle, shift = 0.37, 2.1, (12.5, -40.0)
    matrix = similarity_transform(source, moved(source, scale, angle, shift))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    np.testing.assert_allclose(matrix, np.hstack([turn, np.array(shift)[:, None]]), atol=1e-10)


def test_a_fit_of_noisy_points_is_a_least_squares_minimum() -> None:
    generator = np.random.default_rng(0)
    source, target = generator.normal(size=(2, 5, 2))
    matrix = similarity_transform(source, target)
    design = np.zeros((10, 4))
    design[0::2] = np.stack([source[:, 0], -source[:, 1], np.ones(5), np.zeros(5)], axis=1)
    design[1::2] = np.stack([source[:, 1], source[:, 0], np.zeros(5), np.ones(5)], axis=1)
    a, b, tx, ty = np.linalg.lstsq(design, target.flatten(), rcond=None)[0]
    np.testing.assert_allclose(matrix, [[a, -b, tx], [b, a, ty]], atol=1e-12)


@pytest.mark.parametrize("shape", [(200, 200), (200, 260)])
def test_landmarks_land_on_the_template(shape: tuple[int, int]) -> None:
    """Dots at points that are an exact similarity of the template; also where the picture is not square."""
    points = moved(np.array(ARCFACE_TEMPLATE), 1.4, 0.3, (25.0, -5.0))
    planes = torch.from_numpy(blobs(points, *shape, sigma=4)).float()
    pictures = torch.stack([planes[:3], planes[2:]])
    landmarks = torch.from_numpy(points).float().expand(2, 5, 2)
    aligned = align(pictures, landmarks).numpy()
    found = centres(np.concatenate([aligned[0], aligned[1, 1:]]))
    np.testing.assert_allclose(found, ARCFACE_TEMPLATE, atol=0.02)


def test_align_equals_opencv_on_points_that_do_not_fit_exactly() -> None:
    generator = np.random.default_rng(0)
    points = moved(np.array(ARCFACE_TEMPLATE), 1.3, -0.2, (10.0, 30.0)) + generator.normal(0, 4, (5, 2))
    picture = cv2.GaussianBlur(generator.random((180, 180, 3)).astype(np.float32), (0, 0), 3)
    matrix = similarity_transform(points, np.array(ARCFACE_TEMPLATE))
    expected = cv2.warpAffine(picture, matrix, (112, 112), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    tensor = torch.from_numpy(picture).permute(2, 0, 1)[None]
    aligned = align(tensor, torch.from_numpy(points).float()[None])[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(aligned, expected, rtol=0, atol=2e-3)


def test_faces_without_landmarks_use_the_ffhq_template_at_their_size() -> None:
    torch.manual_seed(0)
    picture = torch.rand(2, 3, 128, 128)
    landmarks = torch.tensor(FFHQ_TEMPLATE).expand(2, 5, 2) / 4
    torch.testing.assert_close(align(picture, None), align(picture, landmarks))


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def id_pairs(shared: Path) -> tuple[dict[str, int], Tensor, Tensor]:
    folder = shared / "data" / "faces_id_pairs"
    rows = table(folder / "faces.csv")
    faces = np.stack([np.asarray(Image.open(folder / row["file"]).convert("RGB")) for row in rows])
    points = [[[float(row[f"{name}_{axis}"]) for axis in "xy"] for name in POINTS] for row in rows]
    images = torch.from_numpy(faces).permute(0, 3, 1, 2).float() / 255
    return {row["file"]: index for index, row in enumerate(rows)}, images, torch.tensor(points)


def test_aligned_crops_and_embeddings_equal_the_expected_ones(shared: Path) -> None:
    expected = np.load(shared / "weights" / "mobilefacenet" / "expected.npz")
    index, images, points = id_pairs(shared)
    chosen = [index[str(name)] for name in expected["files"]]
    crops = align(images[chosen], points[chosen]).permute(0, 2, 3, 1).numpy() * 255
    assert np.abs(crops - expected["aligned_rgb_112"]).mean() < 1
    embed = MobileFaceNetEmbedder(load_weights("mobilefacenet", str(shared / "weights")), torch.device("cpu"))
    wanted = torch.nn.functional.normalize(torch.from_numpy(expected["embedding"]))
    assert (cosine(embed(images[chosen], points[chosen]), wanted) > 0.995).all()


def test_mobilefacenet_tells_persons_apart(shared: Path) -> None:
    embed = MobileFaceNetEmbedder(load_weights("mobilefacenet", str(shared / "weights")), torch.device("cpu"))
    index, images, points = id_pairs(shared)
    embeddings = embed(images, points)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(len(index)))
    pairs = table(shared / "data" / "faces_id_pairs" / "pairs.csv")
    first, second = (embeddings[[index[pair[side]] for pair in pairs]] for side in ("file_x", "file_y"))
    cosines = cosine(first, second).numpy()
    same = np.array([pair["same"] == "1" for pair in pairs])
    assert cosines[same].mean() > 0.6
    assert cosines[~same].mean() < 0.3
    assert area_under_curve(cosines, same) > 0.99


def test_a_face_without_landmarks_among_others_gives_nan(shared: Path) -> None:
    embed = MobileFaceNetEmbedder(load_weights("mobilefacenet", str(shared / "weights")), torch.device("cpu"))
    points = torch.tensor(FFHQ_TEMPLATE).repeat(2, 1, 1) / 4
    points[1, 3, 0] = torch.nan
    torch.manual_seed(0)
    embeddings = embed(torch.rand(2, 3, 128, 128), points)
    assert embeddings[0].isfinite().all()
    assert embeddings[1].isnan().all()


def test_arcface_is_facexlibs_network_on_aligned_faces_in_the_signed_range() -> None:
    arch = pytest.importorskip("facexlib.recognition.arcface_arch")
    torch.manual_seed(0)
    network = arch.Backbone(num_layers=50, drop_ratio=0.6, mode="ir_se").eval()
    face = torch.rand(1, 3, 96, 96)
    measured = ArcFaceEmbedder(network.state_dict(), torch.device("cpu"))(face, None)
    with torch.inference_mode():
        expected = network(align(face, None) * 2 - 1)
    assert measured.shape == (1, 512)
    torch.testing.assert_close(measured, expected)


def test_the_rendered_recogniser_gets_the_network_range() -> None:
    class Recorder(torch.nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return image.mean((2, 3)) * 5

    embed = RenderedFaceEmbedder(Recorder())
    measured = embed(torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1).expand(1, 3, 4, 4), None)
    torch.testing.assert_close(measured, torch.tensor([[-1.0, 0.0, 1.0]]) / 2**0.5)


def test_degrees_of_known_cosines() -> None:
    angles = torch.tensor([1.0, 30.0, 60.0, 90.0, 135.0, 179.0]).double()
    torch.testing.assert_close(degrees(torch.cos(angles * torch.pi / 180)), angles)


def test_equal_and_opposite_embeddings_stay_inside_the_clamp() -> None:
    embedding = torch.eye(3, 128)
    same, opposite = cosine(embedding, embedding), cosine(embedding, -embedding)
    assert torch.equal(same, torch.full((3,), 1 - 1e-7, dtype=torch.float64))
    assert torch.equal(opposite, -same)
    limit = np.rad2deg(np.arccos(1 - 1e-7))
    np.testing.assert_allclose(degrees(same).numpy(), limit)
    np.testing.assert_allclose(degrees(opposite).numpy(), 180 - limit)


def test_one_recogniser_has_two_definitions() -> None:
    similarity, angle = identity_definitions("id_x", "source", "ab")
    assert (similarity.id, similarity.direction, angle.id, angle.direction) == (
        "id_x",
        "higher",
        "id_x_degrees",
        "lower",
    )
