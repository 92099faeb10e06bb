"""Published layouts: strict loading, export, and errors that name what is wrong."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from src.checkpoints.published import PUBLISHED_NETWORKS, export_published, load_published, published_layout
from src.settings.errors import UserError

OFFICIAL_NAMES = {
    "vqgan": "VQAutoEncoder_stage1",
    "codeformer": "CodeFormer_stage2_stage3",
    "codeformer_inpainting": "CodeFormer_inpainting_release",
    "codeformer_colorization": "CodeFormer_colorization_release",
    "vqgan_discriminator": "VQGANDiscriminator",
}


def random_state(name: str) -> dict[str, Tensor]:
    """Weights of the published layout; a broadcast view, so that large networks cost no memory."""
    return {
        key: torch.full((1,) * len(shape), 0.5).to(dtype).expand(shape)
        for key, (shape, dtype) in published_layout(name).items()
    }


@pytest.fixture(scope="module")
def discriminator_state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return PUBLISHED_NETWORKS["vqgan_discriminator"]().state_dict()


@pytest.mark.parametrize("name", PUBLISHED_NETWORKS)
def test_layout_equals_the_official_one(shared: Path, name: str) -> None:
    networks = json.loads((shared / "reference" / "codeformer_state_dicts.json").read_text())["networks"]
    official = networks[OFFICIAL_NAMES[name]]["state_dict"]
    layout = {
        key: [list(shape), str(dtype).removeprefix("torch.")] for key, (shape, dtype) in published_layout(name).items()
    }
    assert list(layout) == list(official)
    assert layout == official


@pytest.mark.parametrize("top", [None, "params_ema", "params", "params_d"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_every_file_layout_loads_to_the_same_network(
    tmp_path: Path, discriminator_state: dict[str, Tensor], top: str | None, prefix: str
) -> None:
    state = {prefix + key: tensor for key, tensor in discriminator_state.items()}
    torch.save({top: state} if top else state, tmp_path / "net_d.pth")
    network = load_published("vqgan_discriminator", tmp_path / "net_d.pth")
    assert not network.training
    exported = export_published("vqgan_discriminator", network)
    assert list(exported) == list(discriminator_state)
    for key, tensor in discriminator_state.items():
        assert exported[key].dtype == tensor.dtype
        assert torch.equal(exported[key], tensor)


def test_ema_weights_come_first(discriminator_state: dict[str, Tensor]) -> None:
    zeros = {key: torch.zeros_like(tensor) for key, tensor in discriminator_state.items()}
    network = load_published("vqgan_discriminator", {"params": zeros, "params_ema": discriminator_state})
    assert torch.equal(network.get_parameter("main.0.weight"), discriminator_state["main.0.weight"])


def test_loaded_and_exported_tensors_are_copies(discriminator_state: dict[str, Tensor]) -> None:
    network = load_published("vqgan_discriminator", discriminator_state)
    exported = export_published("vqgan_discriminator", network)
    with torch.no_grad():
        network.get_parameter("main.0.weight").zero_()
    assert discriminator_state["main.0.weight"].abs().sum() > 0
    assert exported["main.0.weight"].abs().sum() > 0
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_half_precision_weights_become_full(discriminator_state: dict[str, Tensor]) -> None:
    halved = {k: t.half() if t.is_floating_point() else t for k, t in discriminator_state.items()}
    network = load_published("vqgan_discriminator", halved)
    assert network.get_parameter("main.0.weight").dtype == torch.float32


@pytest.mark.parametrize(
    ("wanted", "given", "difference"),
    [
        ("codeformer", "vqgan", "position_emb is missing"),
        ("codeformer", "codeformer_colorization", r"fuse_convs_dict\.256\.encode_enc\.norm1\.weight is missing"),
        ("codeformer_colorization", "codeformer_inpainting", r"embedding\.weight has shape \[512, 256\]"),
        ("vqgan", "codeformer", "position_emb is unknown"),
        ("vqgan_discriminator", "vqgan", r"main\.0\.weight is missing"),
    ],
)
def test_another_network_is_named(wanted: str, given: str, difference: str) -> None:
    with pytest.raises(UserError, match=rf"not the network '{wanted}' .*{difference}.*it is the network '{given}'"):
        load_published(wanted, random_state(given))


def test_a_damaged_network_is_likened(discriminator_state: dict[str, Tensor]) -> None:
    state = {key: tensor for key, tensor in discriminator_state.items() if key != "main.14.bias"}
    with pytest.raises(UserError, match=r"\(main\.14\.bias is missing\); it looks like 'vqgan_discriminator'"):
        load_published("vqgan_discriminator", state)
    with pytest.raises(UserError, match="looks like none of the published networks"):
        load_published("vqgan", {"weight": torch.zeros(3)})


def test_export_refuses_a_network_of_other_sizes(discriminator_state: dict[str, Tensor]) -> None:
    network = load_published("vqgan_discriminator", discriminator_state)
    with pytest.raises(UserError, match="the network to export: not the network 'vqgan'"):
        export_published("vqgan", network)


@pytest.mark.parametrize("content", ["truncated", "text", "empty", "code"])
def test_an_unreadable_file_is_named(tmp_path: Path, discriminator_state: dict[str, Tensor], content: str) -> None:
    path = tmp_path / "vqgan_discriminator.pth"
    if content == "truncated":
        torch.save(discriminator_state, path)
        path.write_bytes(path.read_bytes()[:-50_000])
    elif content == "code":
        torch.save({"params": Path(), "more": print}, path)
    else:
        path.write_text("<html>Not found</html>" if content == "text" else "")
    with pytest.raises(UserError, match=r"vqgan_discriminator\.pth: not a readable checkpoint"):
        load_published("vqgan_discriminator", path)


def test_other_content_missing_files_and_names_are_refused(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save({"epoch": 3, "optimizer": {}}, tmp_path / "state.pth")
    with pytest.raises(UserError, match=r"list\.pth: holds a list"):
        load_published("vqgan", tmp_path / "list.pth")
    with pytest.raises(UserError, match=r"state\.pth: expected a dict of tensors.*epoch, optimizer"):
        load_published("vqgan", str(tmp_path / "state.pth"))
    with pytest.raises(UserError, match=r"absent\.pth: no such checkpoint file"):
        load_published("vqgan", tmp_path / "absent.pth")
    with pytest.raises(UserError, match="'gfpgan' is no published network: choose one of vqgan, codeformer,"):
        load_published("gfpgan", {})
