"""Export to the published layout, to safetensors and to ONNX."""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from src.checkpoints import onnx_export, published
from src.checkpoints.entries import CATALOGUE
from src.checkpoints.export import export_weights
from src.checkpoints.files import sha256_of
from src.checkpoints.network_file import load_network, save_network
from src.checkpoints.onnx_export import probe_images
from src.checkpoints.published import PUBLISHED_NETWORKS, load_published, published_layout
from src.checkpoints.store import RunStatus, write_status
from src.networks import CodeFormer, DiffusionUnet, PatchDiscriminator, Recogniser, SwinIr, VqAutoencoder
from src.settings.errors import UserError
from src.settings.scale import CodePredictorSize, DiscriminatorSize, RecogniserSize, VqAutoencoderSize
from tests.small_networks import DIFFUSION_UNET, SWINIR

AUTOENCODER = VqAutoencoderSize(
    image_size=32,
    width=8,
    multipliers=[1, 2],
    residual_blocks=1,
    attention_sizes=[16],
    norm_groups=4,
    codebook_size=16,
    code_dim=8,
)
PREDICTOR = CodePredictorSize(dim=16, heads=2, layers=1)
DISCRIMINATOR = DiscriminatorSize(width=4, layers=2)
RECOGNISER = RecogniserSize(input_size=32, width=4, embedding_dim=8)
OFFICIAL_NAMES = {
    "vqgan": "VQAutoEncoder_stage1",
    "codeformer": "CodeFormer_stage2_stage3",
    "vqgan_discriminator": "VQGANDiscriminator",
}


def small(kind: str) -> tuple[nn.Module, dict[str, Any]]:
    torch.manual_seed(0)
    autoencoder = {"autoencoder": asdict(AUTOENCODER)}
    if kind == "vqgan":
        return VqAutoencoder(AUTOENCODER).eval(), autoencoder
    if kind == "vqgan_discriminator":
        return PatchDiscriminator(DISCRIMINATOR).eval(), {"discriminator": asdict(DISCRIMINATOR)}
    if kind == "recogniser":
        return Recogniser(RECOGNISER).eval(), {"recogniser": asdict(RECOGNISER)}
    if kind == "diffusion_unet":
        return DiffusionUnet(DIFFUSION_UNET).eval(), {"diffusion_unet": asdict(DIFFUSION_UNET)}
    if kind == "swinir":
        return SwinIr(SWINIR).eval(), {"swinir": asdict(SWINIR)}
    network = CodeFormer(AUTOENCODER, PREDICTOR, [16]).eval()
    nn.init.normal_(network.position_emb)
    return network, autoencoder | {"code_predictor": asdict(PREDICTOR), "fused_sizes": [16]}


def save(folder: Path, kind: str, facts: dict[str, str] | None = None) -> nn.Module:
    network, settings = small(kind)
    save_network(folder / "weights" / f"{kind}.safetensors", kind, network, settings, facts or {})
    return network


def export(source: Path, output: Path, **options: Any) -> str:
    file_format = options.pop("file_format", output.suffix[1:])
    chosen = {"layout": None, "kind": None, "adain": None} | options
    return export_weights(source, output, file_format=file_format, **chosen)


@pytest.fixture
def small_published(monkeypatch: pytest.MonkeyPatch) -> None:
    """The published names at small sizes, so that nothing of 400 MB is written."""
    inpainting = replace(AUTOENCODER, codebook_size=8)
    networks = {
        "vqgan": lambda: VqAutoencoder(AUTOENCODER),
        "codeformer": lambda: CodeFormer(AUTOENCODER, PREDICTOR, [16]),
        "codeformer_inpainting": lambda: CodeFormer(inpainting, PREDICTOR, [16]),
        "vqgan_discriminator": lambda: PatchDiscriminator(DISCRIMINATOR),
        "difface_unet512": lambda: DiffusionUnet(DIFFUSION_UNET),
        "difface_swinir": lambda: SwinIr(SWINIR),
    }
    monkeypatch.setattr(published, "PUBLISHED_NETWORKS", networks)
    published_layout.cache_clear()
    yield
    published_layout.cache_clear()


def run_onnx(path: Path, **feeds: Tensor) -> Tensor:
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_inputs()] == list(feeds)
    assert [one.name for one in session.get_outputs()] == ["restored"]
    (restored,) = session.run(None, {name: np.asarray(tensor) for name, tensor in feeds.items()})
    return torch.from_numpy(restored)


@pytest.mark.parametrize("kind", OFFICIAL_NAMES)
def test_a_run_of_published_sizes_becomes_a_published_file(shared: Path, tmp_path: Path, kind: str) -> None:
    torch.manual_seed(1)
    network = PUBLISHED_NETWORKS[kind]()
    settings = {
        "vqgan": {"autoencoder": asdict(published.AUTOENCODER_SIZE)},
        "vqgan_discriminator": {"discriminator": asdict(published.DISCRIMINATOR_SIZE)},
        "codeformer": {
            "autoencoder": asdict(published.AUTOENCODER_SIZE),
            "code_predictor": asdict(published.CODE_PREDICTOR_SIZE),
            "fused_sizes": list(published.FUSED_SIZES),
        },
    }
    save_network(tmp_path / "run" / "weights" / f"{kind}.safetensors", kind, network, settings[kind], {})
    said = export(tmp_path / "run", tmp_path / "net.pth")
    assert f"published layout {kind}" in said
    content = torch.load(tmp_path / "net.pth", weights_only=True)
    key = "params_d" if kind == "vqgan_discriminator" else "params_ema"
    assert list(content) == [key]
    networks = json.loads((shared / "reference" / "codeformer_state_dicts.json").read_text())["networks"]
    official = networks[OFFICIAL_NAMES[kind]]["state_dict"]
    found = {name: [list(t.shape), str(t.dtype).removeprefix("torch.")] for name, t in content[key].items()}
    assert list(found.items()) == list(official.items())
    own = network.state_dict()
    assert all(torch.equal(tensor, own[name]) for name, tensor in content[key].items())
    if kind == "vqgan_discriminator":
        image = probe_images(64)[0]
        assert torch.equal(load_published(kind, tmp_path / "net.pth")(image), network.eval()(image))


@pytest.mark.usefixtures("small_published")
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_every_format_gives_the_same_images_again(tmp_path: Path, suffix: str) -> None:
    network, image = save(tmp_path / "run", "codeformer"), probe_images(32)[0]
    expected = network(image, fidelity=0.7).image
    for number, name in enumerate(["codeformer", "vqgan"]):
        save(tmp_path / "run", name)
        first, second = tmp_path / f"a{number}{suffix}", tmp_path / f"b{number}.pth"
        export(tmp_path / "run", first, kind=name, layout=name)
        export(first, second, kind=name)
        again = load_published(name, second)
        assert torch.equal(load_published(name, first)(image)[0], again(image)[0])
    assert torch.equal(load_published("codeformer", tmp_path / "b0.pth")(image, fidelity=0.7).image, expected)


@pytest.mark.usefixtures("small_published")
def test_the_same_weights_give_the_same_bytes(tmp_path: Path) -> None:
    save(tmp_path, "vqgan")
    for suffix in ("pth", "safetensors"):
        digests = set()
        for name in ("a", "b"):
            export(tmp_path, tmp_path / f"{name}.{suffix}")
            digests.add(sha256_of(tmp_path / f"{name}.{suffix}"))
        assert len(digests) == 1


def test_other_sizes_are_kept_by_safetensors_and_refused_by_pth(tmp_path: Path) -> None:
    network = save(tmp_path, "codeformer", {"adain": "true", "run": "cft-1"})
    expected = (
        r"not the network 'codeformer' \(position_emb has shape \[256, 16\], expected \[256, 512\]; .* more\).*"
        r"--format safetensors without --layout keeps other sizes"
    )
    with pytest.raises(UserError, match=expected):
        export(tmp_path, tmp_path / "net.pth")
    with pytest.raises(UserError, match="not the network 'codeformer_inpainting'"):
        export(tmp_path, tmp_path / "net.safetensors", layout="codeformer_inpainting")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["weights"]
    said = export(tmp_path, tmp_path / "net.safetensors")
    assert f"codeformer with {len(network.state_dict())} tensors" in said
    bare, loaded = load_file(tmp_path / "net.safetensors"), load_network(tmp_path / "net.safetensors")
    assert all(torch.equal(bare[key], tensor) for key, tensor in network.state_dict().items())
    assert bare.keys() == network.state_dict().keys()
    assert (loaded.kind, loaded.facts) == ("codeformer", {"adain": "true", "run": "cft-1"})
    assert loaded.settings == small("codeformer")[1]


@pytest.mark.usefixtures("small_published")
@pytest.mark.parametrize(("name", "adain"), [("codeformer", "true"), ("codeformer_inpainting", "false")])
def test_a_published_file_becomes_a_file_of_the_suite(tmp_path: Path, name: str, adain: str) -> None:
    network = published.PUBLISHED_NETWORKS[name]().eval()
    torch.save({"params_ema": network.state_dict()}, tmp_path / "other.pth")
    for option in ("kind", "layout"):
        export(tmp_path / "other.pth", tmp_path / f"{option}.safetensors", **{option: name})
        loaded = load_network(tmp_path / f"{option}.safetensors")
        source = {"source": "other.pth", "source_sha256": sha256_of(tmp_path / "other.pth")}
        assert (loaded.kind, loaded.facts) == ("codeformer", source | {"published": name, "adain": adain})
        image = probe_images(32)[0]
        assert torch.equal(loaded.network(image).image, network(image).image)
    export(tmp_path / "kind.safetensors", tmp_path / "back.pth")
    assert load_published(name, tmp_path / "back.pth")


@pytest.mark.usefixtures("small_published")
@pytest.mark.parametrize(("kind", "name"), [("diffusion_unet", "difface_unet512"), ("swinir", "difface_swinir")])
def test_difface_s_networks_are_published_bare_and_read_back(tmp_path: Path, kind: str, name: str) -> None:
    own = save(tmp_path / "run", kind).state_dict()
    assert f"in the published layout {name}" in export(tmp_path / "run", tmp_path / "net.pth")
    content = torch.load(tmp_path / "net.pth", weights_only=True)
    assert list(content) == list(own)
    assert all(torch.equal(content[key], tensor) for key, tensor in own.items())
    export(tmp_path / "net.pth", tmp_path / "net.safetensors", kind=name)
    loaded = load_network(tmp_path / "net.safetensors")
    assert (loaded.kind, loaded.settings, loaded.facts["published"]) == (kind, small(kind)[1], name)
    assert all(torch.equal(tensor, own[key]) for key, tensor in loaded.network.state_dict().items())
    with pytest.raises(UserError, match=f"only codeformer and vqgan can be exported so, not a {kind}"):
        export(tmp_path / "run", tmp_path / "net.onnx")


@pytest.mark.usefixtures("small_published")
def test_the_licence_stays_with_the_authors_own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "d.pth"
    torch.save({"params": small("vqgan_discriminator")[0].state_dict()}, path)
    export(path, tmp_path / "unknown.safetensors", kind="vqgan_discriminator")
    assert "licence" not in load_network(tmp_path / "unknown.safetensors").facts
    monkeypatch.setitem(CATALOGUE, "codeformer", replace(CATALOGUE["codeformer"], sha256=sha256_of(path)))
    export(path, tmp_path / "known.safetensors", kind="vqgan_discriminator")
    assert load_network(tmp_path / "known.safetensors").facts["licence"] == CATALOGUE["codeformer"].licence


def test_the_network_of_a_run_is_chosen(tmp_path: Path) -> None:
    for kind in ("vqgan", "vqgan_discriminator"):
        save(tmp_path, kind)
    with pytest.raises(UserError, match="holds several networks; choose one with --kind: vqgan, vqgan_discriminator"):
        export(tmp_path, tmp_path / "net.safetensors")
    with pytest.raises(UserError, match="holds no codeformer weights; choose one with --kind: vqgan,"):
        export(tmp_path, tmp_path / "net.safetensors", kind="codeformer")
    write_status(tmp_path, RunStatus("vqgan", "id", "name", "finished"))
    assert "vqgan with" in export(tmp_path, tmp_path / "a.safetensors")
    assert "vqgan_discriminator with" in export(tmp_path, tmp_path / "b.safetensors", kind="vqgan_discriminator")
    file = tmp_path / "weights" / "vqgan.safetensors"
    assert "vqgan with" in export(file, tmp_path / "c.safetensors", kind="vqgan")
    with pytest.raises(UserError, match="holds a vqgan, not a codeformer"):
        export(file, tmp_path / "d.safetensors", kind="codeformer")


def test_wrong_requests_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    for kind in ("vqgan", "recogniser"):
        save(tmp_path / kind, kind)
    torch.save(small("vqgan")[0].state_dict(), tmp_path / "bare.pth")
    taken = tmp_path / "taken.pth"
    taken.write_text("mine")
    wanted = {
        "taken.pth exists; delete it or give another name": (tmp_path / "vqgan", taken, {}),
        "taken.pth is a file, not a folder": (tmp_path / "vqgan", taken / "x.pth", {}),
        "'tflite' is not one of pth": (tmp_path / "vqgan", tmp_path / "x.tflite", {}),
        "--adain: only an ONNX file": (tmp_path / "vqgan", tmp_path / "x.pth", {"adain": True}),
        "--adain: a vqgan has none": (tmp_path / "vqgan", tmp_path / "x.onnx", {"adain": True}),
        "only codeformer and vqgan can be exported so": (tmp_path / "recogniser", tmp_path / "x.onnx", {}),
        "a recogniser has no published layout": (tmp_path / "recogniser", tmp_path / "x.pth", {}),
        "'gfpgan' is no published network": (tmp_path / "vqgan", tmp_path / "x.pth", {"layout": "gfpgan"}),
        "absent: does not exist; give a run folder": (tmp_path / "absent", tmp_path / "x.pth", {}),
        r"holds no weights/<kind>.safetensors": (tmp_path, tmp_path / "x.pth", {}),
        "does not say which network it holds; add --kind": (tmp_path / "bare.pth", tmp_path / "x.pth", {}),
        r"bare.pth: not the network 'vqgan'": (tmp_path / "bare.pth", tmp_path / "x.pth", {"kind": "vqgan"}),
    }
    for sentence, (source, output, options) in wanted.items():
        with pytest.raises(UserError, match=sentence):
            export(source, output, **options)
    assert taken.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bare.pth", "recogniser", "taken.pth", "vqgan"]


@pytest.mark.parametrize("adain", [True, False])
def test_one_onnx_file_serves_every_batch_and_fidelity(tmp_path: Path, capfd: Any, adain: bool) -> None:
    onnx = pytest.importorskip("onnx")
    network = save(tmp_path / "run", "codeformer", {"adain": str(adain).lower()})
    output = tmp_path / "onnx" / "net.onnx"
    said = export(tmp_path / "run", output)
    assert f"adain {'on' if adain else 'off'}: mean difference" in said
    assert "100.00% of the codes equal" in said
    assert capfd.readouterr() == ("", "")
    assert [path.name for path in output.parent.iterdir()] == ["net.onnx"]
    onnx.checker.check_model(output, full_check=True)
    assert str(Path(__file__).parents[2]).encode() not in output.read_bytes()
    images = torch.rand(3, 3, 32, 32) * 2 - 1
    for batch, fidelity in ((1, 0.0), (3, 0.3), (2, 1.0)):
        with torch.no_grad():
            expected = network(images[:batch], fidelity, adain).image
        restored = run_onnx(output, image=images[:batch], fidelity=torch.tensor(fidelity))
        torch.testing.assert_close(restored, expected, rtol=0, atol=1e-4)


def test_an_autoencoder_becomes_onnx(tmp_path: Path) -> None:
    network = save(tmp_path, "vqgan")
    said = export(tmp_path, tmp_path / "net.onnx")
    assert "on two test images: mean difference" in said
    images = torch.rand(3, 3, 32, 32) * 2 - 1
    torch.testing.assert_close(run_onnx(tmp_path / "net.onnx", image=images), network(images).image, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [("position_emb", "codes are not those that torch finds"), ("adain", "at equal codes its images differ")],
)
def test_a_file_that_computes_something_else_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, sentence: str
) -> None:
    pytest.importorskip("onnxruntime")
    trace = onnx_export._traced

    def mistaken(network: CodeFormer, adain: bool) -> Any:
        if change == "adain":
            return trace(network, not adain)
        other = small("codeformer")[0]
        other.get_parameter(change).data.mul_(-1)
        return trace(other, adain)

    save(tmp_path, "codeformer")
    monkeypatch.setattr(onnx_export, "_traced", mistaken)
    with pytest.raises(UserError, match=f"the ONNX file was not kept: .*{sentence}"):
        export(tmp_path, tmp_path / "net.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["weights"]


def test_tied_codes_may_differ() -> None:
    scores = torch.tensor([[1.0, 1.0 - 1e-6, 0.0], [0.0, 5.0, 4.9]])
    assert onnx_export._agreeing(scores, torch.tensor([1, 1])).tolist() == [False, True]
    with pytest.raises(UserError, match="1 of 2 codes"):
        onnx_export._agreeing(scores, torch.tensor([0, 2]))
    with pytest.raises(UserError, match="1 of 1 codes"):
        onnx_export._agreeing(torch.tensor([[float("nan"), 0.0]]), torch.tensor([1]))


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, "vqgan")
    monkeypatch.setattr(onnx_export, "PACKAGES", ("json", "onnxscript"))
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UserError, match=r"onnxscript, which is not installed: pip install '\.\[export\]'"):
        export(tmp_path, tmp_path / "net.onnx")
    assert not (tmp_path / "net.onnx").exists()
