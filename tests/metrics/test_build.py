"""Which metrics a family measures with the weights at hand."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import alexnet, vgg16

from src.checkpoints import catalogue
from src.checkpoints.catalogue import CATALOGUE, find_weights
from src.metrics import build
from src.metrics.build import build_suite
from src.metrics.perceptual_network import build_perceptual, load_lpips
from src.metrics.suite import MetricSuite
from src.settings.commands import MetricsSettings
from src.settings.errors import UserError

STANDARD_IDS = {"lpips/vgg", "lpips/alex", "fid/gt", "kid/gt", "id_arcface_irse50", "id_arcface_irse50_degrees"}


def suite_of(family: str, weights_dir: Path | None = None, recogniser: nn.Module | None = None) -> MetricSuite:
    settings = MetricsSettings(
        family=family,
        primary="perceptual",
        weights_dir=None if weights_dir is None else str(weights_dir),
        bootstrap_resamples=100,
    )
    rendered = None if recogniser is None else (recogniser, "ab" * 32)
    return build_suite(settings, rendered_recogniser=rendered, device=torch.device("cpu"))


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
    assert suite.definitions["st_lpips"].extractor_sha256 == CATALOGUE["st_lpips_alex"].sha256
    faces = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for restored, is_zero in ((faces, True), (255 - faces, False)):
        evaluator = suite.evaluator("benchmark")
        evaluator.update(restored, faces)
        result = evaluator.compute()
        assert {*result.per_image, *result.distribution} == ids
        assert not any(result.failures.values())
        for value in (result.per_image["st_lpips"].max(), result.distribution["fd_mobilenetv2"]):
            assert (value < 1e-4) == is_zero


def test_auto_takes_stand_ins_where_the_standard_is_absent_and_says_so(stand_ins: Path) -> None:
    suite = suite_of("auto", stand_ins)
    assert not set(suite.definitions) & STANDARD_IDS
    assert suite.notice.startswith("metrics: psnr, ssim, perceptual st_lpips, distribution fd_mobilenetv2")
    assert "; stand-ins: fd_mobilenetv2, " in suite.notice
    assert "\n" not in suite.notice


@pytest.mark.parametrize("family", ["auto", "offline"])
def test_roles_without_weights_are_left_out_and_named(family: str, nothing: None) -> None:
    suite = suite_of(family)
    assert list(suite.definitions) == ["psnr", "ssim"]
    assert suite.notice == "metrics: psnr, ssim; no weights for perceptual, distribution, identity"


def test_the_recogniser_of_rendered_faces_comes_first(shared: Path, stand_ins: Path) -> None:
    assert suite_of("offline", stand_ins).primary_id("identity") == "id_mobilefacenet"
    suite = suite_of("offline", stand_ins, recogniser=nn.Flatten())
    assert suite.primary_id("identity") == "id_rendered"
    assert "id_mobilefacenet" in suite.definitions, "a second recogniser stays beside it"
    assert suite.definitions["id_rendered"].extractor_sha256 == "ab" * 32
    assert "identity id_rendered; stand-ins: fd_mobilenetv2, id_mobilefacenet, st_lpips" in suite.notice


def test_standard_without_weights_names_every_file_and_where_it_comes_from(nothing: None) -> None:
    with pytest.raises(UserError) as caught:
        suite_of("standard")
    sentence = str(caught.value)
    assert sentence.startswith("metrics.family: standard")
    for name in ("vgg16", "alexnet", "inception_fid", "arcface_ir_se50"):
        assert CATALOGUE[name].file in sentence
        assert CATALOGUE[name].url in sentence


def test_a_package_that_the_standard_computes_with_is_named_too(
    monkeypatch: pytest.MonkeyPatch, nothing: None, tmp_path: Path
) -> None:
    """With the weights of Inception at hand but no torch-fidelity, auto goes on with what it can measure."""
    (tmp_path / CATALOGUE["inception_fid"].file).touch()
    monkeypatch.setattr(build, "find_spec", lambda name: None)
    assert suite_of("auto", tmp_path).primary_id("distribution") is None
    with pytest.raises(UserError, match="the pip package torch-fidelity is missing: install it"):
        suite_of("standard", tmp_path)


def test_the_hash_of_inception_is_checked_before_it_is_used(
    monkeypatch: pytest.MonkeyPatch, nothing: None, tmp_path: Path
) -> None:
    (tmp_path / CATALOGUE["inception_fid"].file).write_bytes(b"not inception")
    monkeypatch.setattr(build, "find_spec", lambda name: "found")
    with pytest.raises(UserError, match=r"expected 6726825d for .*; delete it and fetch it again"):
        suite_of("auto", tmp_path)


def test_lpips_replaces_the_stand_in_once_its_trunks_are_found(lpips_trunks: Path) -> None:
    suite = suite_of("auto", lpips_trunks)
    assert {"lpips/vgg", "lpips/alex"} <= set(suite.definitions)
    assert "st_lpips" not in suite.definitions
    assert suite.primary_id("perceptual") == "lpips/vgg"
    assert suite.definitions["lpips/alex"].extractor_sha256 == CATALOGUE["alexnet"].sha256
    image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for pair in suite.pairs[2:]:
        assert torch.equal(pair.measure(image, image), torch.zeros(2))
        assert (pair.measure(image, image.flip(0)) > 0).all()
    offline = suite_of("offline", lpips_trunks)
    assert not set(offline.definitions) & STANDARD_IDS


def test_arcface_replaces_the_stand_in_once_it_is_found(arcface: Path, shared: Path) -> None:
    (arcface / CATALOGUE["mobilefacenet"].file).symlink_to(shared / "weights" / "mobilefacenet" / "mobilefacenet.pt")
    suite = suite_of("auto", arcface)
    assert [identity.cosine.id for identity in suite.identities] == ["id_arcface_irse50"]
    assert suite.definitions["id_arcface_irse50"].extractor_sha256 == CATALOGUE["arcface_ir_se50"].sha256
    assert "stand-ins" not in suite.notice
    rendered = suite_of("auto", arcface, recogniser=nn.Flatten())
    assert [identity.cosine.id for identity in rendered.identities] == ["id_rendered", "id_arcface_irse50"]
    assert suite_of("offline", arcface).primary_id("identity") == "id_mobilefacenet"


def test_standard_measures_the_fields_own_metrics_only(
    monkeypatch: pytest.MonkeyPatch, lpips_trunks: Path, arcface: Path
) -> None:
    """No stand-in and no recogniser of ours, although both are at hand."""
    publish(monkeypatch, arcface, "inception_fid", {})
    publish(monkeypatch, arcface, "st_lpips_alex", {})
    monkeypatch.setattr(build, "find_spec", lambda name: "found")
    monkeypatch.setattr(build, "InceptionFeatures", lambda path, device: lambda image: image.flatten(1)[:, :4])
    suite = suite_of("standard", arcface, recogniser=nn.Flatten())
    assert set(suite.definitions) == {"psnr", "ssim", *STANDARD_IDS}
    faces = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    evaluator = suite.evaluator("benchmark")
    evaluator.update(faces, faces)
    result = evaluator.compute()
    assert {*result.per_image, *result.distribution} == set(suite.definitions)
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
