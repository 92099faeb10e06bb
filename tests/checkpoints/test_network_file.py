"""The suite's own weights file."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from src.checkpoints.files import sha256_of
from src.checkpoints.network_file import NETWORK_KINDS, load_network, save_network
from src.networks import (
    CodeFormer,
    DiffusionUnet,
    LandmarkDetector,
    LatentAutoencoder,
    LatentEncoder,
    LatentScoreUnet,
    MobileRecogniser,
    PatchDiscriminator,
    Recogniser,
    RestorationUnet,
    SrcnnSameResolution,
    SwinIr,
    TextureFusion,
    VqAutoencoder,
)
from src.networks.latent_mask import build_latent_mask
from src.registration.build import registration_from, registration_settings
from src.settings.errors import UserError
from src.settings.scale import (
    CodePredictorSize,
    DiscriminatorSize,
    LandmarkDetectorSize,
    MobileRecogniserSize,
    RecogniserSize,
    RestorationUnetSize,
    TextureFusionSize,
    VqAutoencoderSize,
)
from tests.registration.small_registrations import METHOD, OBJECTIVE, SIZES
from tests.small_networks import DIFFUSION_UNET, SRCNN, SWINIR

AUTOENCODER = VqAutoencoderSize(
    image_size=32,
    width=8,
    multipliers=[1, 2, 2],
    residual_blocks=1,
    attention_sizes=[8],
    norm_groups=8,
    codebook_size=16,
    code_dim=8,
)
PREDICTOR = CodePredictorSize(dim=16, heads=2, layers=1)
DISCRIMINATOR = DiscriminatorSize(width=4, layers=2)
RECOGNISER = RecogniserSize(input_size=32, width=4, embedding_dim=8)
FACTS = {"run": "vqgan-ab12", "iteration": "1500"}
TEXTURE_FUSION = TextureFusionSize(
    widths=[8, 16],
    residual_blocks=1,
    bottleneck_blocks=1,
    norm_groups=4,
    reduction=4,
    offset_groups=4,
    window=7,
    heads=4,
)
FUSION = {"texture_fusion": asdict(TEXTURE_FUSION), "injection": "sft", "alignment": "none"}
MOBILE = MobileRecogniserSize(input_size=32, width=4, expansion=2, repeats=1, embedding_dim=8)
RESTORATION = RestorationUnetSize(widths=[4, 8], residual_blocks=1, norm_groups=4)
MASK = {
    "kind": "adaptive",
    "channels": 3,
    "side": 32,
    "temperature": 1.0,
    "initial": 0.5,
    "latent_mask": {"width": 4, "layers": 2},
}
OTHER_INPUTS: dict[str, list[Tensor]] = {
    "diffusion_unet": [torch.tensor([10])],
    "registration": [torch.ones(1, 3, 32, 32)],
    "texture_fusion": [torch.ones(1, 3, 32, 32)],
    "latent_score": [torch.tensor([10.0]), torch.ones(1, 6, 32, 32)],
    "latent_mask": [torch.tensor([0.5])],
}
"""What a network takes beside an image, by its kind."""


def example(kind: str) -> tuple[nn.Module, dict[str, Any]]:
    torch.manual_seed(0)
    if kind == "vqgan":
        return VqAutoencoder(AUTOENCODER), {"autoencoder": asdict(AUTOENCODER)}
    if kind == "codeformer":
        settings = {"autoencoder": asdict(AUTOENCODER), "code_predictor": asdict(PREDICTOR), "fused_sizes": [16]}
        return CodeFormer(AUTOENCODER, PREDICTOR, [16]), settings
    if kind == "recogniser":
        return Recogniser(RECOGNISER), {"recogniser": asdict(RECOGNISER)}
    if kind == "diffusion_unet":
        return DiffusionUnet(DIFFUSION_UNET), {"diffusion_unet": asdict(DIFFUSION_UNET)}
    if kind == "swinir":
        return SwinIr(SWINIR), {"swinir": asdict(SWINIR)}
    if kind == "srcnn":
        return SrcnnSameResolution(SRCNN), {"srcnn": asdict(SRCNN)}
    if kind == "landmark_detector":
        size = LandmarkDetectorSize(input_size=32, width=8, landmarks=68)
        return LandmarkDetector(size), {"landmark_detector": asdict(size)}
    if kind == "registration":
        settings = registration_settings(METHOD, OBJECTIVE, SIZES)
        return registration_from(settings), settings
    if kind == "texture_fusion":
        return TextureFusion(TEXTURE_FUSION, "sft", "none"), FUSION
    return clr_face_example(kind)


def clr_face_example(kind: str) -> tuple[nn.Module, dict[str, Any]]:
    if kind in ("latent_autoencoder", "latent_encoder"):
        autoencoder = LatentAutoencoder(AUTOENCODER)
        autoencoder.set_statistics(torch.randn(8), torch.rand(8) + 0.5)
        network = autoencoder if kind == "latent_autoencoder" else LatentEncoder.of(autoencoder)
        return network, {"autoencoder": asdict(AUTOENCODER)}
    if kind == "latent_score":
        settings = {"latent_unet": asdict(DIFFUSION_UNET), "latent_channels": 3, "condition_channels": 6}
        return LatentScoreUnet(DIFFUSION_UNET, 3, 6), settings
    if kind == "restoration_unet":
        return RestorationUnet(RESTORATION), {"restoration_unet": asdict(RESTORATION)}
    if kind == "mobile_recogniser":
        return MobileRecogniser(MOBILE), {"mobile_recogniser": asdict(MOBILE)}
    if kind == "latent_mask":
        return build_latent_mask(MASK), MASK
    return PatchDiscriminator(DISCRIMINATOR), {"discriminator": asdict(DISCRIMINATOR)}


def states_equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("kind", NETWORK_KINDS)
@pytest.mark.parametrize("half", [False, True])
def test_round_trip(tmp_path: Path, kind: str, half: bool) -> None:
    network, settings = example(kind)
    network.to(memory_format=torch.channels_last)
    path = tmp_path / "weights" / f"{kind}.safetensors"
    digest = save_network(path, kind, network, settings, FACTS, half=half)
    loaded = load_network(path)
    assert (loaded.kind, loaded.settings, loaded.facts) == (kind, settings, FACTS)
    assert loaded.sha256 == digest == sha256_of(path)
    assert type(loaded.network) is type(network)
    assert not loaded.network.training
    assert all(p.dtype == torch.float32 and p.device.type == "cpu" for p in loaded.network.parameters())
    expected = network.state_dict()
    if half:
        expected = {k: t.half().float() if t.is_floating_point() else t for k, t in expected.items()}
    assert states_equal(loaded.network.state_dict(), expected)
    first = loaded.network(torch.rand(1, 3, 32, 32), *OTHER_INPUTS.get(kind, []))
    assert (first if isinstance(first, Tensor) else first[0]).isfinite().all()
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_half_takes_half_the_space_and_refuses_overflow(tmp_path: Path) -> None:
    network, settings = example("vqgan")
    sizes = []
    for half in (False, True):
        save_network(tmp_path / "a.safetensors", "vqgan", network, settings, FACTS, half=half)
        sizes.append(sum(t.numel() * t.element_size() for t in load_file(tmp_path / "a.safetensors").values()))
    assert sizes[1] * 2 == sizes[0]
    with torch.no_grad():
        network.get_parameter("encoder.blocks.0.bias").fill_(1e5)
    with pytest.raises(UserError, match=r"encoder\.blocks\.0\.bias.*fp16"):
        save_network(tmp_path / "b.safetensors", "vqgan", network, settings, FACTS, half=True)
    assert not (tmp_path / "b.safetensors").exists()


def test_same_content_has_the_same_hash(tmp_path: Path) -> None:
    network, settings = example("recogniser")
    digests = {save_network(tmp_path / f"{i}.safetensors", "recogniser", network, settings, FACTS) for i in range(5)}
    assert len(digests) == 1


def test_settings_that_do_not_fit_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    network, settings = example("vqgan")
    path = tmp_path / "vqgan.safetensors"
    wrong_size = {"autoencoder": {**settings["autoencoder"], "codebook_size": 32}}
    incomplete = {"autoencoder": {k: v for k, v in settings["autoencoder"].items() if k != "width"}}
    with pytest.raises(UserError, match=r"1 of its tensors.*embedding\.weight has shape \[16, 8\], expected \[32, 8\]"):
        save_network(path, "vqgan", network, wrong_size, FACTS)
    with pytest.raises(UserError, match=r"do not describe a vqgan.*width"):
        save_network(path, "vqgan", network, incomplete, FACTS)
    with pytest.raises(UserError, match=r"do not describe a vqgan.*autoencoder"):
        save_network(path, "vqgan", network, {}, FACTS)
    with pytest.raises(UserError, match="unknown kind of network 'gan', expected one of vqgan,"):
        save_network(path, "gan", network, settings, FACTS)
    assert not list(tmp_path.iterdir())


def test_broken_files_are_named(tmp_path: Path) -> None:
    network, settings = example("vqgan_discriminator")
    path = tmp_path / "d.safetensors"
    save_network(path, "vqgan_discriminator", network, settings, FACTS)
    whole = path.read_bytes()
    for content in (whole[:-100], whole[:20], b"", b"<html>Not found</html>"):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"d\.safetensors: not a readable safetensors file"):
            load_network(path)
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(UserError, match=r"d\.safetensors: no weights file of this suite"):
        load_network(path)
    with pytest.raises(UserError, match=r"absent\.safetensors: no such weights file"):
        load_network(tmp_path / "absent.safetensors")


def test_a_file_without_some_tensor_is_refused(tmp_path: Path) -> None:
    network, settings = example("vqgan_discriminator")
    path = tmp_path / "d.safetensors"
    save_network(path, "vqgan_discriminator", network, settings, FACTS)
    whole = path.read_bytes()
    header = whole[8 : 8 + int.from_bytes(whole[:8], "little")]
    renamed = header.replace(b'"main.0.bias"', b'"main.0.bIas"')
    path.write_bytes(whole[:8] + renamed + whole[8 + len(header) :])
    with pytest.raises(UserError, match=r"main\.0\.bias is missing; main\.0\.bIas is unknown"):
        load_network(path)
