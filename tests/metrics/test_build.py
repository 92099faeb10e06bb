"""Which metrics are measured with the weights at hand, and why the others are not."""

import hashlib
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import alexnet, vgg16

from src.checkpoints import catalogue
from src.checkpoints.catalogue import CATALOGUE, find_weights
from src.config.compose import compose_train
from src.jobs.bench import summary_line
from src.metrics.build import MeasuredFaces, build_suite, missing_metrics
from src.metrics.kind import BuildContext
from src.metrics.perceptual_network import build_perceptual, load_lpips
from src.metrics.suite import MetricSuite
from src.settings.commands import MetricsSettings
from src.settings.errors import UserError

STANDARD_IDS = {"lpips/vgg", "lpips/alex", "fid/gt", "kid/gt", "id_arcface_irse50", "id_arcface_irse50_degrees"}
FACES = MeasuredFaces(side=64, has_truth=True)


def settings_of(family: str, **changes: Any) -> MetricsSettings:
    return replace(compose_train([f"metrics={family}"]).metrics, **{"fetch": False, **changes})


def context_of(weights_dir: Path | None, recogniser: nn.Module | None = None) -> BuildContext:
    rendered = None if recogniser is None else (recogniser, "ab" * 32)
    folder = None if weights_dir is None else str(weights_dir)
    return BuildContext(folder, torch.device("cpu"), rendered_recogniser=rendered)


def suite_of(
    family: str,
    weights_dir: Path | None = None,
    recogniser: nn.Module | None = None,
    faces: MeasuredFaces = FACES,
    **changes: Any,
) -> MetricSuite:
    return build_suite(settings_of(family, **changes), faces, context_of(weights_dir, recogniser))


@pytest.fixture
def stand_ins(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A weights folder with the stand-ins only, and an empty torch cache."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    folder = root.parent / "shared" / "weights"
    if not all(find_weights(name, str(folder)) for name in ("st_lpips_alex", "mobilenet_v2")):
        pytest.skip("the weights of the stand-ins are in neither ../shared/weights nor installed packages")
    return folder


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No weights anywhere."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(catalogue, "_package_folder", lambda entry: None)


def random_trunk(name: str) -> dict[str, Tensor]:
    """torchvision's state dict of the classifier's convolutions, with random weights."""
    with torch.device("meta"):
        features = {"vgg16": vgg16, "alexnet": alexnet}[name](weights=None).features.state_dict()
    generator = torch.Generator().manual_seed(0)
    return {
        f"features.{key}": torch.randn(t.shape, generator=generator) * (0.1 if t.ndim == 1 else t[0].numel() ** -0.5)
        for key, t in features.items()
    }


def publish(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, weights: dict[str, Tensor]) -> None:
    """Save weights under the published name of an entry, and take their hash for the published one."""
    path = folder / CATALOGUE[name].file
    torch.save(weights, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(CATALOGUE, name, replace(CATALOGUE[name], sha256=digest))


@pytest.fixture
def lpips_trunks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, nothing: None) -> Path:
    """A weights folder with random trunks of LPIPS under their published names."""
    pytest.importorskip("lpips")
    for name in ("vgg16", "alexnet"):
        publish(monkeypatch, tmp_path, name, random_trunk(name))
    return tmp_path


class SmallBackbone(nn.Module):
    """Takes the place of facexlib's ArcFace, whose file has 175 MB."""

    def __init__(self, num_layers: int, drop_ratio: float, mode: str) -> None:
        super().__init__()
        assert (num_layers, drop_ratio, mode) == (50, 0.6, "ir_se")
        self.linear = nn.Linear(3, 8)

    def forward(self, faces: Tensor) -> Tensor:
        return self.linear(faces.mean((2, 3)))


@pytest.fixture
def arcface(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, nothing: None) -> Path:
    """A weights folder with a small network under the name of ArcFace."""
    pytest.importorskip("facexlib")
    monkeypatch.setattr("facexlib.recognition.arcface_arch.Backbone", SmallBackbone)
    torch.manual_seed(0)
    publish(monkeypatch, tmp_path, "arcface_ir_se50", SmallBackbone(50, 0.6, "ir_se").state_dict())
    return tmp_path


def test_offline_measures_the_stand_ins_under_their_own_names(stand_ins: Path) -> None:
    suite = suite_of("offline", stand_ins)
    ids = set(suite.definitions)
    assert {"psnr", "ssim", "st_lpips", "fd_mobilenetv2", "kd_mobilenetv2"} <= ids
    assert not ids & STANDARD_IDS
    assert {"st_lpips", "fd_mobilenetv2"} <= suite.stand_ins
    assert suite.definitions["st_lpips"].extractor_sha256 == CATALOGUE["st_lpips_alex"].sha256
    faces = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for restored, is_zero in ((faces, True), (255 - faces, False)):
        evaluator = suite.evaluator("benchmark")
        evaluator.update(range(3), restored, faces, faces)
        result = evaluator.compute()
        assert {*result.per_image, *result.per_set} == ids
        for value in (result.per_image["st_lpips"].max(), result.per_set["fd_mobilenetv2"]):
            assert (value < 1e-4) == is_zero


def test_auto_takes_stand_ins_where_the_standard_is_absent_and_says_so(stand_ins: Path) -> None:
    suite = suite_of("auto", stand_ins)
    assert not set(suite.definitions) & STANDARD_IDS
    line = summary_line(suite)
    assert line.startswith("metrics: psnr, ssim, perceptual st_lpips, distribution fd_mobilenetv2")
    assert "; stand-ins: fd_mobilenetv2, " in line
    assert f"; {len(suite.missing)} not measured (each record says which and why)" in line
    assert "\n" not in line
    assert {"lpips/vgg", "fid/gt"} <= set(suite.missing)


def test_what_has_no_weights_is_left_out_with_file_address_and_place(nothing: None, tmp_path: Path) -> None:
    wanted = {"lpips/vgg": "vgg16", "fid/gt": "inception_fid", "id_arcface_irse50": "arcface_ir_se50"}
    suite = suite_of("standard", tmp_path, measure=["psnr", *wanted])
    assert list(suite.definitions) == ["psnr"]
    for metric, weights in wanted.items():
        entry = CATALOGUE[weights]
        assert all(part in suite.missing[metric] for part in (entry.file, entry.url, str(tmp_path / entry.folder)))


def test_strict_stops_with_a_sentence_a_metric(nothing: None) -> None:
    settings = settings_of("standard", strict=True, measure=["psnr", "lpips/vgg", "lpips/alex", "fid/gt"], leave_out=[])
    missing = missing_metrics(settings, context_of(None))
    assert list(missing) == ["lpips/vgg", "lpips/alex", "fid/gt"]
    with pytest.raises(UserError, match=r"metrics\.strict: 3 metrics cannot be measured") as caught:
        build_suite(settings, FACES, context_of(None))
    assert all(why in str(caught.value) for why in missing.values())


def test_nothing_is_fetched_unasked(nothing: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert suite_of("auto", tmp_path).missing


def test_what_cannot_be_fetched_is_missing_with_the_reason(nothing: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(name: str, weights_dir: str | None) -> Path:
        raise UserError(f"{name}: no answer")

    monkeypatch.setattr("src.metrics.kind.fetch_weights", unreachable)
    context = replace(context_of(None), fetch=True)
    suite = build_suite(settings_of("standard", measure=["psnr", "lpips/vgg"]), FACES, context)
    assert suite.missing == {"lpips/vgg": "vgg16: no answer"}


def test_a_stand_in_is_measured_where_it_is_needed_always_or_never(lpips_trunks: Path, stand_ins: Path) -> None:
    only: dict[str, Any] = {"measure": ["lpips/vgg", "st_lpips"]}
    (lpips_trunks / CATALOGUE["st_lpips_alex"].file).symlink_to(found(stand_ins, "st_lpips_alex"))

    def ids(folder: Path, when: str) -> list[str]:
        return list(suite_of("auto", folder, stand_ins=when, **only).definitions)

    assert ids(lpips_trunks, "where_missing") == ["lpips/vgg"]
    assert ids(lpips_trunks, "always") == ["lpips/vgg", "st_lpips"]
    assert ids(stand_ins, "where_missing") == ["st_lpips"]
    assert ids(stand_ins, "never") == []
    only["measure"] = ["st_lpips"]
    assert ids(lpips_trunks, "where_missing") == ["st_lpips"], "nothing else was asked for"


def found(folder: Path, name: str) -> Path:
    path = find_weights(name, str(folder))
    assert path is not None
    return path.resolve()


def test_the_recogniser_of_rendered_faces_comes_first(shared: Path, stand_ins: Path) -> None:
    assert suite_of("offline", stand_ins).primary_id("identity") == "id_mobilefacenet"
    suite = suite_of("offline", stand_ins, recogniser=nn.Flatten())
    assert suite.primary_id("identity") == "id_rendered"
    assert "id_mobilefacenet" in suite.definitions, "a second recogniser stays beside it"
    assert suite.definitions["id_rendered"].extractor_sha256 == "ab" * 32
    assert "identity id_rendered" in summary_line(suite)
    assert not [name for name in suite_of("auto", stand_ins).missing if "rendered" in name]


def test_faces_that_a_metric_cannot_take_are_a_reason(nothing: None) -> None:
    small = suite_of("auto", faces=MeasuredFaces(8, has_truth=True), measure=["psnr", "ssim"])
    assert small.missing == {"ssim": "it needs faces of at least 11 pixels, and these have 8"}
    photographs = suite_of("auto", faces=MeasuredFaces(64, has_truth=False), measure=["psnr", "ssim"])
    assert set(photographs.missing) == {"psnr", "ssim"}
    assert "clean originals" in photographs.missing["psnr"]


BAD = {
    "metrics.definitions.psnr.kind: 'x' is not one of": {"psnr": {"kind": "x"}},
    "metrics.definitions.a: trunk, window is no option of psnr": {"a": {"kind": "psnr", "window": 1, "trunk": 1}},
    "metrics.definitions.a: trunk 'resnet' is not one of vgg, alex": {"a": {"kind": "lpips", "trunk": "resnet"}},
    "metrics.definitions.a: lpips needs trunk": {"a": {"kind": "lpips"}},
    "metrics.definitions.a: recogniser 'x' is not one of": {"a": {"kind": "identity", "recogniser": "x"}},
}


@pytest.mark.parametrize("sentence", BAD)
def test_a_wrong_entry_is_refused_by_its_key(sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        suite_of("auto", definitions=BAD[sentence], leave_out=[])


@pytest.mark.parametrize("key", ["measure", "leave_out"])
def test_a_pattern_that_fits_nothing_is_refused(key: str) -> None:
    chosen: dict[str, Sequence[str]] = {key: ["lpisp*"]}
    with pytest.raises(UserError, match=rf"metrics\.{key}: 'lpisp\*' fits no metric; they are psnr"):
        suite_of("auto", **chosen)


def test_a_file_with_another_hash_is_refused_before_it_is_used(nothing: None, tmp_path: Path) -> None:
    (tmp_path / CATALOGUE["vgg16"].file).write_bytes(b"no trunk")
    with pytest.raises(UserError, match=r"expected 397923af for .*; delete it and fetch it again"):
        suite_of("auto", tmp_path, measure=["lpips/vgg"])


def test_lpips_replaces_the_stand_in_once_its_trunks_are_found(lpips_trunks: Path) -> None:
    suite = suite_of("auto", lpips_trunks, measure=["psnr", "lpips/vgg", "lpips/alex", "st_lpips"])
    assert {"lpips/vgg", "lpips/alex"} <= set(suite.definitions)
    assert "st_lpips" not in suite.definitions
    assert suite.primary_id("perceptual") == "lpips/vgg"
    assert suite.definitions["lpips/alex"].extractor_sha256 == CATALOGUE["alexnet"].sha256
    image = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for restored, is_zero in ((image, True), (image.flip(0), False)):
        evaluator = suite.evaluator("a")
        evaluator.update(range(2), restored, image, image)
        values = evaluator.compute().per_image
        assert all(((values[name] == 0) == is_zero).all() for name in ("lpips/vgg", "lpips/alex"))
    offline = suite_of("offline", lpips_trunks)
    assert not set(offline.definitions) & STANDARD_IDS


def test_arcface_replaces_the_stand_in_once_it_is_found(arcface: Path, shared: Path) -> None:
    (arcface / CATALOGUE["mobilefacenet"].file).symlink_to(shared / "weights" / "mobilefacenet" / "mobilefacenet.pt")
    suite = suite_of("auto", arcface)
    assert suite.primary_id("identity") == "id_arcface_irse50"
    assert suite.definitions["id_arcface_irse50"].extractor_sha256 == CATALOGUE["arcface_ir_se50"].sha256
    assert "id_mobilefacenet_drop" not in suite.stand_ins
    assert "id_mobilefacenet" in suite.stand_ins, "it stands for the second recogniser, which is still missing"
    rendered = suite_of("auto", arcface, recogniser=nn.Flatten())
    assert [n for n, d in rendered.definitions.items() if d.role == "identity"][:2] == [
        "id_rendered",
        "id_arcface_irse50",
    ]
    assert suite_of("offline", arcface).primary_id("identity") == "id_mobilefacenet"


def test_standard_measures_the_fields_own_metrics_only(
    monkeypatch: pytest.MonkeyPatch, lpips_trunks: Path, arcface: Path
) -> None:
    """No stand-in and no recogniser of ours, although both are at hand."""
    publish(monkeypatch, arcface, "st_lpips_alex", {})
    suite = suite_of("standard", arcface, recogniser=nn.Flatten(), measure=["psnr", "*lpips*", "id_*"])
    wanted = {"lpips/vgg", "lpips/alex", "id_arcface_irse50", "id_arcface_irse50_drop"}
    assert wanted <= set(suite.definitions)
    assert not [name for name in suite.definitions if "rendered" in name or "st_lpips" in name or "mobile" in name]
    assert suite.stand_ins == frozenset()
    faces = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    evaluator = suite.evaluator("benchmark")
    evaluator.update(range(2), faces, faces, faces)
    result = evaluator.compute()
    assert set(result.per_image) == set(suite.definitions)
    assert result.per_image["id_arcface_irse50"].min() > 1 - 1e-6
    assert not any(result.failures.values())


@pytest.mark.parametrize(("trunk", "name"), [("vgg", "vgg16"), ("alex", "alexnet")])
def test_the_trunk_is_filled_layer_by_layer(lpips_trunks: Path, trunk: str, name: str) -> None:
    network = load_lpips(trunk, str(lpips_trunks))
    filled = [layer for layer in network.get_submodule("net").modules() if isinstance(layer, nn.Conv2d)]
    saved = random_trunk(name)
    weights = [saved[key] for key in sorted(saved, key=lambda key: int(key.split(".")[1])) if key.endswith("weight")]
    assert len(filled) == len(weights) > 0
    assert all(torch.equal(layer.weight, weight) for layer, weight in zip(filled, weights, strict=True))
    assert not network.training


def test_the_loss_with_vgg_has_a_finite_gradient(lpips_trunks: Path) -> None:
    loss = build_perceptual("auto", str(lpips_trunks))
    assert loss is not None
    assert loss.name == "lpips_vgg"
    torch.manual_seed(0)
    for start in (torch.rand(1, 3, 32, 32) * 2 - 1, torch.zeros(1, 3, 32, 32)):
        restored = start.requires_grad_()
        (gradient,) = torch.autograd.grad(loss(restored, torch.ones(1, 3, 32, 32)), restored)
        assert gradient.isfinite().all()
        assert gradient.any()


def test_the_guide_is_measured_where_it_guides_and_not_missed_elsewhere(nothing: None) -> None:
    settings = settings_of("auto", measure=["psnr", "id_guide"], leave_out=[], strict=True)
    without = build_suite(settings, FACES, context_of(None))
    assert list(without.definitions) == ["psnr"]
    assert without.missing == {}
    assert missing_metrics(settings, context_of(None)) == {}
    guided = build_suite(settings, FACES, replace(context_of(None), guide_recogniser=(nn.Flatten(), "cd" * 32)))
    assert list(guided.definitions) == ["psnr", "id_guide", "id_guide_degrees"]
    assert guided.primary_id("identity") is None
    assert summary_line(guided) == "metrics: psnr, identity_guide id_guide"
