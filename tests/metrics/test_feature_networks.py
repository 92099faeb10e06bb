"""Networks whose features are compared, how each family of FID resizes, and published statistics."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from src.checkpoints.catalogue import CATALOGUE, find_weights, load_weights
from src.metrics import feature_networks
from src.metrics.feature_networks import FEATURE_NETWORKS, MobileNetFeatures
from src.metrics.inception import InceptionFeatures, inception_trunk
from src.metrics.inception_inputs import SIDE, clean_fid_input, pytorch_fid_input, torch_fidelity_input
from src.metrics.inception_statistics import read_statistics
from src.metrics.kind import BuildContext
from src.metrics.set_distances import frechet_between, moments
from src.settings.errors import UserError

FRONTS = ("inception_pytorch_fid", "inception_torch_fidelity", "inception_clean")


def faces(n: int = 2, side: int = 64) -> Tensor:
    """Rounded levels in [0, 1], smooth enough that resizing matters little and noisy enough that it matters."""
    generator = torch.Generator().manual_seed(0)
    coarse = interpolate(torch.rand(n, 3, 8, 8, generator=generator), size=(side, side), mode="bicubic")
    noisy = coarse + 0.2 * torch.randn(n, 3, side, side, generator=generator)
    return (noisy.clamp(0, 1) * 255).round() / 255


def pytorch_fid_network(load: Callable[[nn.Module], None]) -> nn.Module:
    """pytorch-fid's network as pyiqa carries it: torchvision's blocks, patched. `load` fills it in place of a download."""
    from pyiqa.archs import inception

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision about its old arguments
        patch.setattr(inception, "load_pretrained_network", lambda network, url: load(network))
        return inception.InceptionV3().eval()


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in the layout of the published file."""
    path = tmp_path_factory.mktemp("weights") / CATALOGUE["inception_fid"].file

    def fill(network: nn.Module) -> None:
        torch.manual_seed(0)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                nn.init.normal_(module.running_mean, std=0.1)
                nn.init.uniform_(module.running_var, 0.5, 1.5)
                nn.init.normal_(module.bias, std=0.1)
            elif isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        torch.save(network.state_dict(), path)

    pytorch_fid_network(fill)
    return path


@pytest.fixture(scope="module")
def trunk(weights_file: Path) -> nn.Module:
    return inception_trunk(torch.load(weights_file, weights_only=True))


def test_torch_fidelity_front_equals_its_own_extractor(trunk: nn.Module, weights_file: Path) -> None:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    reference = FeatureExtractorInceptionV3("x", ["2048"], feature_extractor_weights_path=str(weights_file))
    measured = InceptionFeatures("x", trunk, torch_fidelity_input)(faces(), None)
    assert measured.shape == (2, 2048)
    assert measured.std() > 1e-3
    torch.testing.assert_close(measured, reference((faces() * 255).to(torch.uint8))[0])


def test_pytorch_fid_front_equals_its_network(trunk: nn.Module, weights_file: Path) -> None:
    weights = torch.load(weights_file, weights_only=True)
    reference = pytorch_fid_network(lambda network: network.load_state_dict(weights) and None)
    with torch.inference_mode():
        expected = reference(faces(), resize_input=True, normalize_input=True)[0].flatten(1)
    measured = InceptionFeatures("x", trunk, pytorch_fid_input)(faces(), None)
    torch.testing.assert_close(measured, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("side", [64, SIDE, 512])
def test_clean_front_equals_clean_fids_resizer(side: int) -> None:
    resize = pytest.importorskip("cleanfid.resize")
    levels = (faces(1, side)[0] * 255).to(torch.uint8).permute(1, 2, 0).numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # clean-fid names Pillow's mode
        expected = resize.build_resizer("clean")(levels)
    measured = clean_fid_input(faces(1, side))[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(measured * 128 + 128, expected, atol=1e-4)


def test_fronts_agree_on_flat_faces_and_differ_on_detail() -> None:
    """Levels v become 2v / 255 - 1 or (v - 128) / 128; a grid of one pixel is aliased by two of them only."""
    grey = torch.full((1, 3, 512, 512), 200 / 255)
    grid = torch.zeros(1, 3, 512, 512)
    grid[..., ::2] = 1
    prepared = [front(grey) for front in (pytorch_fid_input, torch_fidelity_input, clean_fid_input)]
    for found, expected in zip(prepared, (400 / 255 - 1, 72 / 128, 72 / 128), strict=True):
        torch.testing.assert_close(found, torch.full((1, 3, SIDE, SIDE), expected), rtol=0, atol=1e-5)
    contrasts = [front(grid).std().item() for front in (pytorch_fid_input, torch_fidelity_input, clean_fid_input)]
    assert contrasts[2] < 0.2 < 0.4 < min(contrasts[:2])
    assert (pytorch_fid_input(grid) - torch_fidelity_input(grid)).abs().max() > 0.2


def test_fronts_share_one_trunk_under_keys_of_their_own(
    trunk: nn.Module, weights_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[dict] = []

    def load(weights: dict) -> nn.Module:
        loads.append(weights)
        return trunk

    monkeypatch.setattr(feature_networks, "inception_trunk", load)
    monkeypatch.setattr(feature_networks, "load_weights", lambda name, folder: {})
    context = BuildContext(str(weights_file.parent), torch.device("cpu"))
    extractors = [FEATURE_NETWORKS[name].load(context) for name in FRONTS]
    assert [extractor.key for extractor in extractors] == list(FRONTS)
    assert len(loads) == 1
    assert len({FEATURE_NETWORKS[name].source for name in FRONTS}) == 3


def test_convolutions_keep_all_bits() -> None:
    """cuDNN would take TF32."""
    seen: list[bool] = []

    class Recorder(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            seen.append(torch.backends.cudnn.allow_tf32)
            return image.flatten(1)[:, :4]

    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    try:
        InceptionFeatures("x", Recorder(), pytorch_fid_input)(faces(), None)
        assert seen == [False]
        assert torch.backends.cudnn.allow_tf32
    finally:
        torch.backends.cudnn.allow_tf32 = before


@pytest.mark.parametrize("name", FEATURE_NETWORKS)
def test_missing_weights_are_named_with_file_and_address(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("src.checkpoints.catalogue._package_folder", lambda entry: None)
    network = FEATURE_NETWORKS[name]
    (sentence,) = network.missing(BuildContext(str(tmp_path / "weights"), torch.device("cpu")))
    assert sentence.startswith(f"{CATALOGUE[network.weights].file} is missing: ")
    assert CATALOGUE[network.weights].url in sentence


def test_published_weights_of_inception(root: Path) -> None:
    folder = str(root.parent / "shared" / "weights")
    if find_weights("inception_fid", folder) is None:
        pytest.skip("the weights of Inception are not at hand")
    context = BuildContext(folder, torch.device("cpu"))
    for name in FRONTS:
        features = FEATURE_NETWORKS[name].load(context)(faces(), None)
        assert features.shape == (2, 2048)
        assert features.isfinite().all()
        assert features.min() >= 0


def test_mobilenet_features_are_those_of_torchvisions_trunk(root: Path) -> None:
    from torchvision.models import mobilenet_v2

    folder = str(root.parent / "shared" / "weights")
    if not find_weights("mobilenet_v2", folder):
        pytest.skip("the weights of MobileNetV2 are in neither ../shared/weights nor an installed package")
    weights = load_weights("mobilenet_v2", folder)
    image = faces()
    measured = MobileNetFeatures(weights, torch.device("cpu"))(image, None)
    network = mobilenet_v2(weights=None)
    network.load_state_dict(weights)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    features = (image - mean[:, None, None]) / std[:, None, None]
    with torch.inference_mode():
        for layer in list(network.eval().features)[:14]:
            features = layer(features)
    assert measured.shape == (2, 96)
    torch.testing.assert_close(measured, features.mean((2, 3)))


def as_torch(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array)


@pytest.mark.parametrize("new_format", [True, False])
@pytest.mark.parametrize("form", [np.asarray, np.float32, as_torch])
def test_published_statistics_are_read_without_running_what_they_hold(
    form: Callable, new_format: bool, tmp_path: Path
) -> None:
    features = np.random.default_rng(0).normal(size=(50, 6))
    kept = {"name": "x", "size": 512, "mean": form(features.mean(0)), "cov": form(np.cov(features, rowvar=False))}
    torch.save(kept, tmp_path / "x.pth", _use_new_zipfile_serialization=new_format)
    if not new_format:  # as written by numpy 1
        renamed = (tmp_path / "x.pth").read_bytes().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
        (tmp_path / "x.pth").write_bytes(renamed)
    found = read_statistics(tmp_path / "x.pth")
    other = moments(features + 1)
    assert frechet_between(found, other) == pytest.approx(6, rel=1e-5)
    np.testing.assert_allclose(found.root.T @ found.root, np.cov(features, rowvar=False), atol=1e-6)


class Harmful:
    def __reduce__(self) -> tuple:
        return (Path("harm").touch, ())


@pytest.mark.parametrize(
    "kept",
    [
        {"mean": np.zeros(3)},
        {"mean": np.zeros(3), "cov": np.zeros((2, 2))},
        {"mean": np.zeros(2), "cov": np.full((2, 2), np.nan)},
        {"mean": np.zeros(2), "cov": np.eye(2), "more": Harmful()},
        [1],
    ],
)
def test_other_statistics_are_refused(kept: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(kept, tmp_path / "x.pth")
    with pytest.raises(UserError, match=r"x\.pth: .*; fetch it again"):
        read_statistics(tmp_path / "x.pth")
    assert not (tmp_path / "harm").exists()
