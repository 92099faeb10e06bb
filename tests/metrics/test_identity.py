"""Alignment of faces, and angles between their embeddings."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from src.faces.template import FFHQ_TEMPLATE
from src.metrics.arcface_alignment import ARCFACE_TEMPLATE, align, similarity_transform
from src.metrics.definition import MetricDefinition
from src.metrics.face_batch import FaceBatch, FeatureStore
from src.metrics.identity import (
    Identity,
    IdentityDrop,
    IdentityDropKind,
    IdentityKind,
    IdentityToInput,
    IdentityToInputKind,
    cosine,
    degrees,
)
from src.metrics.kind import BuildContext
from src.metrics.metric import FaceMetric
from src.metrics.suite import MetricSuite


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


class PlaneEmbedder:
    """Embeds a face as the unit vector at the angle of its red level, in degrees; no face in a black one."""

    key = "plane"

    def __init__(self) -> None:
        self.passes = 0

    def __call__(self, image: Float[Tensor, "b 3 h w"], landmarks: Float[Tensor, "b 5 2"] | None) -> Tensor:
        self.passes += 1
        angle = image[:, 0].mean((1, 2)) * 180
        rows = torch.stack([torch.cos(angle * torch.pi / 180), torch.sin(angle * torch.pi / 180)], dim=1)
        return rows.where((angle > 0)[:, None], torch.nan)


def at_angles(*angles: float) -> Tensor:
    return (torch.tensor(angles) / 180).view(-1, 1, 1, 1).expand(-1, 3, 4, 4)


def definition(name: str) -> MetricDefinition:
    return MetricDefinition(id=name, role="r", direction="higher", range="r", formula="f", source="s")


def test_similarity_drop_and_likeness_to_the_input_share_three_passes_and_count_lost_faces() -> None:
    """Angles of truth, input and restored face: 90, 60, 80; then 40, 70, 100; then a face that is lost."""
    embed = PlaneEmbedder()
    views = {"truth": at_angles(90, 40, 90), "input": at_angles(60, 70, 60), "restored": at_angles(80, 100, 0)}
    batch = FaceBatch(views, None, (0, 1, 2), FeatureStore())
    metrics: list[FaceMetric] = [
        Identity(embed, definition("id"), definition("id_degrees")),
        IdentityDrop(embed, definition("drop")),
        IdentityToInput(embed, definition("to_input")),
    ]
    measured = {name: values.numpy() for metric in metrics for name, values in metric.measure(batch).items()}
    cosines = {angle: np.cos(np.deg2rad(angle)) for angle in (10, 20, 30, 60)}
    expected = {
        "id": [cosines[10], cosines[60], np.nan],
        "id_degrees": [10, 60, np.nan],
        "drop": [cosines[30] - cosines[10], cosines[30] - cosines[60], np.nan],
        "to_input": [cosines[20], cosines[30], np.nan],
    }
    assert measured.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(measured[name], values, rtol=0, atol=2e-4 if name == "id_degrees" else 1e-6)
    assert embed.passes == 3


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


class Convolution(torch.nn.Module):
    """A recogniser of random weights."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 5, 4), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(8 * 7 * 7, 6)
        )

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image)


def rendered_context() -> BuildContext:
    return BuildContext(None, torch.device("cpu"), rendered_recogniser=(Convolution(), "ab" * 32))


def test_a_kind_names_its_recogniser_and_what_it_looks_at() -> None:
    context = rendered_context()
    kinds = {"id_x": IdentityKind, "id_x_drop": IdentityDropKind, "id_x_to_input": IdentityToInputKind}
    metrics = [kind("rendered").build(name, context) for name, kind in kinds.items()]
    definitions = [definition for metric in metrics for definition in metric.definitions]
    assert [(d.id, d.role, d.direction, d.needs) for d in definitions] == [
        ("id_x", "identity", "higher", ("truth",)),
        ("id_x_degrees", "identity_degrees", "lower", ("truth",)),
        ("id_x_drop", "identity_drop", "lower", ("truth", "input")),
        ("id_x_to_input", "identity_to_input", "higher", ("input",)),
    ]
    assert {d.extractor_sha256 for d in definitions} == {"ab" * 32}
    without = BuildContext(None, torch.device("cpu"))
    assert IdentityKind("rendered").missing(without) == ["it recognises rendered faces only, and these are others"]
    with pytest.raises(ValueError, match="recogniser 'sphereface' is not one of rendered, guide, arcface_irse50"):
        IdentityKind("sphereface")


def test_identity_is_in_float32_under_autocast() -> None:
    suite = MetricSuite([IdentityKind("rendered").build("id_x", rendered_context())], torch.device("cpu"))
    generator = torch.Generator().manual_seed(1)
    restored, truth = torch.randint(0, 256, (2, 2, 3, 32, 32), dtype=torch.uint8, generator=generator)
    values = []
    for enabled in (False, True):
        evaluator = suite.evaluator(f"benchmark {enabled}")
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            evaluator.update([0, 1], restored, truth)
        values.append(evaluator.compute().per_image["id_x"])
    np.testing.assert_array_equal(values[0], values[1])
    assert (values[0] < 0.999).all()


def test_the_guide_shows_what_it_sees_and_never_stands_for_identity() -> None:
    """Beside the judge in one suite: other roles, other features, and a hash of its own."""
    context = replace(rendered_context(), guide_recogniser=(Convolution(seed=1), "cd" * 32))
    judge, guide = (IdentityKind(name).build(f"id_{name}", context) for name in ("rendered", "guide"))
    assert [(d.id, d.role, d.extractor_sha256) for d in guide.definitions] == [
        ("id_guide", "identity_guide", "cd" * 32),
        ("id_guide_degrees", "identity_guide_degrees", "cd" * 32),
    ]
    roles = [IdentityDropKind("guide"), IdentityToInputKind("guide")]
    assert [kind.build("x", context).definitions[0].role for kind in roles] == [
        "identity_guide_drop",
        "identity_guide_to_input",
    ]
    suite = MetricSuite([guide, judge], torch.device("cpu"))
    assert suite.primary_id("identity") == "id_rendered"
    assert suite.primary_id("identity", guides={"ab" * 32}) is None
    assert suite.primary_id("identity_guide", guides={"ab" * 32}) == "id_guide"
    evaluator = suite.evaluator("benchmark")
    restored, truth = torch.randint(0, 256, (2, 2, 3, 32, 32), dtype=torch.uint8)
    evaluator.update([0, 1], restored, truth)
    values = evaluator.compute().per_image
    assert (values["id_guide"] != values["id_rendered"]).all()
    assert IdentityKind("guide").missing(rendered_context()) == ["no recogniser of this suite guides what is measured"]
