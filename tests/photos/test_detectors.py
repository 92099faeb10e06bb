"""Detectors against the packages they stand on, and photos of any size in front of them."""

import importlib.util
import warnings

import cv2
import numpy as np
import pytest
import torch

from src.faces.renderer import render_face
from src.photos import mtcnn
from src.photos.detector import PhotoDetector, build_detector, nearest_to_center
from src.photos.face import Face, FaceDetector
from src.photos.mtcnn import MtcnnDetector
from src.photos.retinaface import anchors, build_retinaface
from src.settings.errors import UserError
from src.settings.restore import DetectionSettings

CPU = torch.device("cpu")


def settings(**changes) -> DetectionSettings:
    values = {"short_side": 64, "long_side": 2600, "confidence": 0.8, "overlap": 0.4, "least_eye_distance": 5.0}
    return DetectionSettings(**(values | changes))


def their_retinaface(backbone: str) -> torch.nn.Module:
    """facexlib's network with random weights, and the activations of a trained one."""
    from facexlib.detection.retinaface import RetinaFace

    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")
        torch.manual_seed(3)
        network = RetinaFace(backbone, device=CPU)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0
    with torch.no_grad():
        network.train()(torch.from_numpy(noise(128, 128, 7).astype(np.float32)).permute(2, 0, 1)[None] - 128)
    return network.eval()


def their_faces(network: torch.nn.Module, picture: np.ndarray, asked: DetectionSettings) -> np.ndarray:
    """Rows of box, score and landmarks, as facexlib returns them."""
    with torch.inference_mode():
        return network.detect_faces(picture[:, :, ::-1], asked.confidence, asked.overlap)


def rows(faces: list[Face]) -> np.ndarray:
    return np.array([[*face.box, face.score, *face.landmarks.ravel()] for face in faces]).reshape(-1, 15)


def noise(height: int, width: int, seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    return cv2.resize(coarse, (width, height))


def wall_with_face() -> np.ndarray:
    picture = noise(300, 400, 5) // 4 + 96
    picture[60:252, 150:342] = render_face(0, 4, 0, 192).image
    return picture


@pytest.mark.parametrize(
    ("name", "backbone"), [("retinaface_mobilenet", "mobile0.25"), ("retinaface_resnet50", "resnet50")]
)
def test_retinaface_finds_what_facexlib_finds(name, backbone, tmp_path) -> None:
    network = their_retinaface(backbone)
    pictures = [noise(97, 130, 0), noise(64, 64, 1), noise(97, 130, 2)]
    with torch.inference_mode():
        grid = torch.from_numpy(pictures[0][:, :, ::-1].astype(np.float32)).permute(2, 0, 1)[None]
        likely = float(network(grid - network.mean_tensor)[1][0, :, 1].quantile(0.9))
    asked = settings(confidence=likely)
    torch.save({f"module.{key}": value for key, value in network.state_dict().items()}, tmp_path / "weights.pth")
    detector = build_retinaface(name, tmp_path / "weights.pth", asked, CPU)
    found = detector.detect(pictures)
    assert isinstance(detector, FaceDetector)
    assert (detector.name, list(detector.weights)) == (name, [name])
    assert len(found[0]) > 3
    for picture, faces in zip(pictures, found, strict=True):
        np.testing.assert_allclose(rows(faces), their_faces(network, picture, asked), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("size", [(640, 853), (33, 70), (7, 2600)])
def test_anchors_are_facexlibs(size) -> None:
    from facexlib.detection.retinaface import generate_config
    from facexlib.detection.retinaface_utils import PriorBox

    assert torch.equal(anchors(*size), PriorBox(generate_config("resnet50"), image_size=size).forward())


def test_retinaface_names_what_is_wrong_with_a_file(tmp_path) -> None:
    path = tmp_path / "weights.pth"
    with pytest.raises(UserError, match=r"weights\.pth: no such weights file"):
        build_retinaface("retinaface_mobilenet", path, settings(), CPU)
    path.write_bytes(b"<html>404</html>")
    with pytest.raises(UserError, match="not a readable weights file"):
        build_retinaface("retinaface_mobilenet", path, settings(), CPU)
    torch.save([1, 2], path)
    with pytest.raises(UserError, match="expected a dict of tensors"):
        build_retinaface("retinaface_mobilenet", path, settings(), CPU)
    torch.save(their_retinaface("mobile0.25").state_dict(), path)
    with pytest.raises(
        UserError, match=r"not the weights of a RetinaFace.*differences: body\.conv1\.weight is missing"
    ):
        build_retinaface("retinaface_resnet50", path, settings(), CPU)


def test_retinaface_on_photographs(shared) -> None:
    weights = shared / "weights/retinaface/detection_mobilenet0.25_Final.pth"
    asked = settings(short_side=640)
    detector = build_detector("retinaface_mobilenet", asked, str(weights.parent), CPU)
    theirs = their_retinaface("mobile0.25")
    state = torch.load(weights, map_location="cpu", weights_only=True)
    theirs.load_state_dict({key.removeprefix("module."): value for key, value in state.items()})
    for name, count in (("whole_cf_00.jpg", 4), ("whole_gfpgan_Blake_Lively.jpg", 2)):
        photo = cv2.imread(str(shared / "data/faces_lq_real" / name))[:, :, ::-1].copy()
        np.testing.assert_allclose(
            rows(detector.detect([photo])[0]), their_faces(theirs, photo, asked), rtol=1e-4, atol=1e-2
        )
        assert len(PhotoDetector(detector, asked).find([photo])[0]) == count


@pytest.fixture(scope="module")
def cascade() -> MtcnnDetector:
    if importlib.util.find_spec(mtcnn.PACKAGE) is None:
        pytest.skip(f"the package facenet-pytorch is absent: {mtcnn.INSTALL}")
    before, filters = torch.get_rng_state(), list(warnings.filters)
    built = MtcnnDetector(settings(confidence=0.7), CPU)
    assert torch.equal(before, torch.get_rng_state())
    assert filters == list(warnings.filters)
    return built


def test_mtcnn_finds_a_rendered_face(cascade) -> None:
    photo = wall_with_face()
    (face,) = cascade.detect([photo])[0]
    expected = render_face(0, 4, 0, 192).landmarks5 - 0.5 + [150, 60]
    assert np.abs(face.landmarks - expected).max() < 12
    assert face.score > 0.7
    assert isinstance(cascade, FaceDetector)
    assert sorted(cascade.weights) == ["mtcnn_onet", "mtcnn_pnet", "mtcnn_rnet"]


def test_mtcnn_sees_every_picture_by_itself(cascade) -> None:
    photo, empty, narrow = wall_with_face(), noise(300, 400, 9), noise(12, 900, 1)
    together = cascade.detect([empty, photo, narrow, photo[:, ::-1].copy()])
    assert [len(faces) for faces in together] == [0, 1, 0, 1]
    np.testing.assert_allclose(rows(together[1]), rows(cascade.detect([photo])[0]), atol=1e-2)


def test_mtcnn_without_its_package(monkeypatch) -> None:
    monkeypatch.setattr(mtcnn, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install --no-deps facenet-pytorch==2\.6\.0"):
        build_detector("mtcnn", settings(), None, CPU)


class BlobDetector:
    """Takes the middle of what is bright for an eye, and another place for the other one."""

    name = "blob"
    weights: dict[str, str] = {}

    def __init__(self) -> None:
        self.sizes: list[tuple[int, ...]] = []

    def detect(self, pictures) -> list[list[Face]]:
        self.sizes += [picture.shape[:2] for picture in pictures]
        return [[self._face(picture)] for picture in pictures]

    @staticmethod
    def _face(picture: np.ndarray) -> Face:
        weight = picture[:, :, 0].astype(float)
        y, x = (np.average(axis, weights=weight) for axis in np.mgrid[: weight.shape[0], : weight.shape[1]])
        landmarks = np.array([[x, y], [-0.5, -0.5], [x, y], [x, y], [x, y]], np.float32)
        return Face(np.array([-0.5, -0.5, picture.shape[1] - 0.5, picture.shape[0] - 0.5], np.float32), landmarks, 0.9)


@pytest.mark.parametrize(
    ("size", "copy"),
    [
        ((1000, 1500), (64, 96)),
        ((1501, 1000), (96, 64)),
        ((40, 50), (64, 80)),
        ((64, 70), (64, 70)),
        ((20, 40000), (1, 2600)),
        ((2500, 40000), (64, 1024)),
    ],
)
def test_places_come_back_from_the_copy(size, copy) -> None:
    height, width = size
    photo = np.zeros((height, width, 3), np.uint8)
    centre = np.array([round(width * 0.7), round(height * 0.4)])
    x, y = max(2, width // 16), max(2, height // 8)
    photo[centre[1] - y : centre[1] + y + 1, centre[0] - x : centre[0] + x + 1] = 255
    seen = BlobDetector()
    (face,) = PhotoDetector(seen, settings()).find([photo])[0]
    assert seen.sizes == [copy]
    # Levels of the copy are rounded; a copy of one row knows nothing of the height.
    tolerance = 0.02 * np.divide(size, copy).max() + 0.05
    assert abs(face.landmarks[0, 0] - centre[0]) < tolerance
    assert copy[0] == 1 or abs(face.landmarks[0, 1] - centre[1]) < tolerance
    np.testing.assert_allclose(face.box, [-0.5, -0.5, width - 0.5, height - 0.5], atol=1e-9)


class ListDetector:
    """Finds a given list."""

    name = "list"
    weights: dict[str, str] = {}

    def __init__(self, faces: list[Face]) -> None:
        self._faces = faces

    def detect(self, pictures) -> list[list[Face]]:
        return [self._faces for _ in pictures]


def face_at(x: float, y: float, eyes: float, score: float) -> Face:
    landmarks = np.array([[x - eyes / 2, y], [x + eyes / 2, y], [x, y + 4], [x - 3, y + 8], [x + 3, y + 8]])
    return Face(np.array([x - 10.0, y - 10, x + 10, y + 10]), landmarks, score)


def test_faces_that_cannot_be_used_are_left_out() -> None:
    broken = face_at(20, 20, np.nan, 0.99)
    faces = [face_at(10, 10, 2.4, 0.95), broken, face_at(30, 30, 2.6, 0.8), face_at(40, 20, 20, 0.9)]
    photo = np.zeros((128, 160, 3), np.uint8)
    # The copy has half the photo's side: eyes 2.6 pixels apart are 5.2 pixels apart in the photo.
    found, none = PhotoDetector(ListDetector(faces), settings()).find([photo, photo[:40, :50].copy()])
    assert [face.score for face in found] == [0.9, 0.8]
    assert [face.score for face in none] == [0.9]
    assert PhotoDetector(ListDetector(faces), settings()).find([]) == []


def test_nearest_to_center() -> None:
    faces = [face_at(10, 10, 6, 0.9), face_at(75, 60, 6, 0.8), face_at(140, 100, 6, 0.7)]
    assert nearest_to_center(faces, 160, 120) is faces[1]
    assert nearest_to_center(faces, 40, 40) is faces[0]
    assert nearest_to_center([], 160, 120) is None
