"""No-reference quality through pyiqa."""

import builtins
import hashlib
import os
import pickle
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import Tensor, nn

from src.checkpoints.catalogue import CATALOGUE, target_path
from src.metrics.definition import MetricDefinition
from src.metrics.face_batch import FaceBatch, FeatureStore
from src.metrics.kind import BuildContext, CannotMeasure
from src.metrics.no_reference import NO_FACE, NoReferenceQuality, PyiqaKind
from src.metrics.pyiqa_weights import cached_hub_model, given_weights, joint_sha256, missing_hub_model, no_network
from src.settings.errors import UserError

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of this file may ask a host, or find weights outside its own folder."""

    def refuse(*args: Any, **options: Any) -> None:
        raise AssertionError(f"{args} was asked")

    for key in ("TORCH_HOME", "BFR_WEIGHTS_DIR"):
        monkeypatch.setenv(key, str(tmp_path / "elsewhere"))
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def context(tmp_path: Path) -> BuildContext:
    return BuildContext(str(tmp_path), CPU)


@pytest.fixture(scope="session")
def musiq_network() -> nn.Module:
    """MUSIQ as pyiqa lays it out, with random weights."""
    from pyiqa.archs.musiq_arch import MUSIQ

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MUSIQ(pretrained=False).eval()


def batch(restored: Tensor) -> FaceBatch:
    return FaceBatch({"restored": restored}, None, tuple(range(len(restored))), FeatureStore())


def random_faces(n: int, side: int) -> Tensor:
    levels = torch.randint(0, 256, (n, 3, side, side), generator=torch.Generator().manual_seed(0))
    return levels.float() / 255


def entries() -> dict[str, dict[str, Any]]:
    """Options of the entries that the configuration has, by id."""
    conf = Path(__file__).parents[2] / "conf/metrics/definitions/no_reference.yaml"
    return {name: dict(options) for name, options in yaml.safe_load(conf.read_text()).items()}


def pyiqa_entries() -> dict[str, PyiqaKind]:
    found = {name: options for name, options in entries().items() if options.pop("kind") == "pyiqa"}
    return {name: PyiqaKind(**options) for name, options in found.items()}


def place(entry: str, content: object, context: BuildContext, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file under the name of an entry; what is made up cannot bear the published hash."""
    monkeypatch.setattr("src.checkpoints.catalogue.expected_sha256", lambda name, path: None)
    path = target_path(entry, context.weights_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)
    return path


@pytest.fixture
def shared_faces(shared: Path) -> Tensor:
    paths = sorted((shared / "data/faces_hq/images").glob("*.jpg"))[:2]
    levels = [torch.from_numpy(np.array(Image.open(path))) for path in paths]
    return torch.stack(levels).permute(0, 3, 1, 2).float() / 255


def test_niqe_gives_the_known_values_and_those_of_pyiqas_own_cache(
    shared: Path, shared_faces: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, context = pyiqa_entries()["niqe"], BuildContext(str(shared / "weights"), CPU)
    assert not kind.missing(context)
    metric = kind.build("niqe", context)
    measured = metric.measure(batch(shared_faces))["niqe"]
    assert measured[0].item() == pytest.approx(4.36, abs=0.005)  # weights/README.md
    blurred = nn.functional.avg_pool2d(shared_faces, 5, stride=1, padding=2)
    assert (metric.measure(batch(blurred))["niqe"] > measured + 1).all()

    import pyiqa

    monkeypatch.setattr("pyiqa.utils.download_util.DEFAULT_CACHE_DIR", str(shared / "weights/niqe"))
    official = pyiqa.create_metric("niqe", device=CPU)
    torch.testing.assert_close(measured, torch.stack([official(face[None]) for face in shared_faces]))

    (definition,) = metric.definitions
    assert definition.direction == "lower"
    assert definition.needs == ()
    assert definition.role == "no_reference"
    content = (shared / "weights/niqe/niqe_modelparameters.mat").read_bytes()
    assert definition.extractor_sha256 == hashlib.sha256(content).hexdigest()
    # At 256 pixels two blocks fit on a side, as at the least side; one pixel less leaves a single block.
    side = definition.least_side
    corner = metric.measure(batch(shared_faces[..., :side, :side]))["niqe"]
    torch.testing.assert_close(corner, measured)
    assert (metric.measure(batch(shared_faces[..., : side - 1, : side - 1]))["niqe"] > measured + 5).all()


def test_a_metric_without_weights_simply_works(context: BuildContext) -> None:
    import pyiqa

    kind = PyiqaKind(name="piqe")
    assert not kind.missing(context)
    metric = kind.build("blocks", context)
    faces = random_faces(2, 64)
    measured = metric.measure(batch(faces))["blocks"]
    official = pyiqa.create_metric("piqe", device=CPU)
    torch.testing.assert_close(measured, torch.cat([official(face[None]) for face in faces]).double())
    (definition,) = metric.definitions
    assert (definition.id, definition.direction, definition.range) == ("blocks", "lower", "[0, 100]")
    assert definition.extractor_sha256 is None


def test_given_weights_are_the_ones_that_score(
    context: BuildContext, musiq_network: nn.Module, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pyiqa.utils import download_util

    path = place("musiq", musiq_network.state_dict(), context, monkeypatch)
    kind, faces, cache = pyiqa_entries()["musiq"], random_faces(2, 64), download_util.DEFAULT_CACHE_DIR
    state = torch.get_rng_state()
    metric = kind.build("musiq", context)
    assert torch.equal(torch.get_rng_state(), state)
    assert cache == download_util.DEFAULT_CACHE_DIR
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ
    assert capsys.readouterr().out == ""
    with torch.inference_mode():
        expected = musiq_network(faces).flatten().double()
    assert expected[0] != expected[1]
    torch.testing.assert_close(metric.measure(batch(faces))["musiq"], expected)
    (definition,) = metric.definitions
    assert definition.direction == "higher"
    assert definition.extractor_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert "KonIQ-10k" in definition.formula
    assert "ICCV 2021" in definition.source
    assert "pyiqa" in definition.source
    by_path = PyiqaKind(name="musiq", weights=[str(path)]).build("musiq", context)
    torch.testing.assert_close(by_path.measure(batch(faces))["musiq"], expected)


def test_what_is_missing_is_said_without_importing_pyiqa(
    context: BuildContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = builtins.__import__

    def watched(name: str, *args: Any, **options: Any) -> Any:
        assert not name.startswith("pyiqa"), "it was imported"
        return load(name, *args, **options)

    monkeypatch.setattr("src.metrics.no_reference.missing_packages", lambda *names: [])
    monkeypatch.setattr(builtins, "__import__", watched)
    kinds = pyiqa_entries()
    assert list(kinds) == ["musiq", "topiq_nr-face", "niqe", "maniqa", "clipiqa", "qalign"]
    for name, kind in kinds.items():
        assert kind.name == name
        sentences = kind.missing(context)
        assert len(sentences) == len(kind.weights) + bool(kind.hub_model)
        for weights, sentence in zip(kind.weights, sentences, strict=False):
            entry = CATALOGUE[weights]
            for text in (entry.file, entry.url, entry.licence, str(target_path(weights, context.weights_dir))):
                assert text in sentence


def test_a_given_path_that_is_no_file_is_missing(context: BuildContext, tmp_path: Path) -> None:
    (sentence,) = PyiqaKind(name="musiq", weights=[str(tmp_path / "no.pth")]).missing(context)
    assert str(tmp_path / "no.pth") in sentence


def test_weights_that_pyiqa_would_fetch_are_named_with_address_and_place(
    context: BuildContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyiqa.utils.download_util.DEFAULT_CACHE_DIR", str(tmp_path / "pyiqa"))
    with pytest.raises(CannotMeasure) as caught:
        PyiqaKind(name="cnniqa").build("cnniqa", context)
    file = "CNNIQA_koniq10k-e6f14c91.pth"
    for text in (f"{file} is missing", f"/{file} and put it at {tmp_path / 'pyiqa' / file}", "metrics.fetch=true"):
        assert text in str(caught.value)
    other = tmp_path / "other.pth"
    other.touch()
    with pytest.raises(
        CannotMeasure, match=r"musiq_koniq_ckpt-e95806b9.pth is missing.*metrics.definitions.mine.weights"
    ):
        PyiqaKind(name="musiq", weights=[str(other)]).build("mine", context)


class RunsCode:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("content", ["code", "another network", "noise"])
def test_files_that_are_not_the_weights_are_refused_with_their_path(
    context: BuildContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    trace = tmp_path / "trace"
    path = place("musiq", {"weight": torch.zeros(1)}, context, monkeypatch)
    if content == "code":
        path.write_bytes(pickle.dumps(RunsCode(trace)))
    if content == "noise":
        path.write_bytes(b"<html>not found</html>")
    with pytest.raises(CannotMeasure, match=r"cannot build musiq from .*leave_out=\[musiq\]") as caught:
        pyiqa_entries()["musiq"].build("musiq", context)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not trace.exists()


@pytest.mark.parametrize(("name", "likely"), [("nique", "niqe"), ("lpips", "choose one of")])
def test_a_name_that_pyiqa_does_not_have_is_refused(context: BuildContext, name: str, likely: str) -> None:
    with pytest.raises(UserError, match=f"metrics.definitions.mine.name.*{name!r}.*{likely}") as caught:
        PyiqaKind(name=name).build("mine", context)
    assert not isinstance(caught.value, CannotMeasure)


def test_options_that_cannot_be_meant_are_refused() -> None:
    with pytest.raises(ValueError, match="name is empty"):
        PyiqaKind(name="")
    with pytest.raises(ValueError, match=r"expected a list such as \[niqe\]"):
        PyiqaKind(name="niqe", weights="niqe")
    with pytest.raises(ValueError, match="least_side is 0"):
        PyiqaKind(name="niqe", least_side=0)


class FindsBrightFaces(nn.Module):
    """Scores one face at a time by its brightness, as pyiqa's metrics of faces do, and finds none in the dark."""

    def forward(self, image: Tensor) -> Tensor:
        assert len(image) == 1, "Only support batch size 1"
        assert image.mean() > 0.1, f"{NO_FACE} in the input image."
        return image.mean((1, 2, 3))[:, None]


def test_a_face_that_is_not_found_fails_alone_and_other_faults_are_not_hidden() -> None:
    definition = MetricDefinition(
        id="bright", role="no_reference", direction="higher", range="[0, 1]", formula="mean", source="", needs=()
    )
    faces = torch.tensor([0.5, 0.0, 0.25]).view(3, 1, 1, 1).expand(-1, 3, 8, 8)
    one_by_one = NoReferenceQuality(FindsBrightFaces(), definition, batched=False)
    expected = torch.tensor([0.5, torch.nan, 0.25], dtype=torch.float64)
    torch.testing.assert_close(one_by_one.measure(batch(faces))["bright"], expected, equal_nan=True)
    with pytest.raises(AssertionError, match="batch size"):
        NoReferenceQuality(FindsBrightFaces(), definition).measure(batch(faces))


def test_only_the_thread_that_builds_is_kept_from_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *args: f"address of {host}")
    before, found = huggingface_hub.constants.HF_HUB_OFFLINE, []
    with no_network():
        with pytest.raises(OSError, match=r"example\.org is not asked"):
            socket.getaddrinfo("example.org", 443)
        other = threading.Thread(target=lambda: found.append(socket.getaddrinfo("example.org", 443)))
        other.start()
        other.join()
        assert huggingface_hub.constants.is_offline_mode()
    assert found == ["address of example.org"] == [socket.getaddrinfo("example.org", 443)]
    assert before == huggingface_hub.constants.HF_HUB_OFFLINE


def test_a_backbone_that_the_weights_hold_is_not_asked_for() -> None:
    import timm

    build = timm.create_model
    with given_weights("maniqa", [], backbone_in_weights=True):
        network = timm.create_model("test_vit", pretrained=True)
    assert sum(weight.numel() for weight in network.parameters()) > 0
    assert timm.create_model is build
    with given_weights("maniqa", [], backbone_in_weights=False), pytest.raises(OSError, match="Hub"):
        timm.create_model("test_vit", pretrained=True)


def test_a_model_of_the_hub_is_looked_for_in_its_cache_and_never_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    (sentence,) = missing_hub_model("someone/large")
    for text in ("hf download someone/large", "/someone/large)", str(tmp_path / "models--someone--large")):
        assert text in sentence
    model = tmp_path / "models--someone--large"
    snapshot = model / "snapshots" / "abc123"
    snapshot.mkdir(parents=True)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("abc123")
    (snapshot / "config.json").write_text("{}")
    assert cached_hub_model("someone/large") == snapshot
    assert not missing_hub_model("someone/large")


def test_the_hash_of_several_files_depends_on_each() -> None:
    assert joint_sha256(["aa"]) == "aa"
    assert len({joint_sha256(digests) for digests in (["aa", "bb"], ["aa", "bc"], ["bb", "aa"])}) == 3


def test_the_gate_is_computed_before_the_score_that_it_guards() -> None:
    options = entries()
    score = options["ntire_face_score"]
    assert list(options).index(score["failures"]) < list(options).index("ntire_face_score")
    assert {score[name] for name in ("clipiqa", "maniqa", "musiq", "qalign", "niqe")} <= set(options)
