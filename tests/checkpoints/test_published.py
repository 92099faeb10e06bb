"""Published layouts: strict loading, export, and errors that name what is wrong."""

import hashlib
import json
import os
import pickle
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from src.checkpoints.published import PUBLISHED_NETWORKS, export_published, load_published, published_layout
from src.settings.errors import UserError

CODEFORMER_NAMES = {
    "vqgan": "VQAutoEncoder_stage1",
    "codeformer": "CodeFormer_stage2_stage3",
    "codeformer_inpainting": "CodeFormer_inpainting_release",
    "codeformer_colorization": "CodeFormer_colorization_release",
    "vqgan_discriminator": "VQGANDiscriminator",
}
DIFFACE_NAMES = {
    "difface_unet512": "unet_ffhq512",
    "difface_unet256": "unet_ffhq256_inpainting_prior",
    "difface_swinir": "swinir_restoration512",
}
OFFICIAL_LAYOUTS = {
    "vqgan": "160571116589e320387ca55bae51fe8bcfde14e5066689b224bf25790cabf963",
    "codeformer": "2d6b884b89e8419c6694de78e5d406885fe2ee05aa761155a2bff5033001e909",
    "codeformer_inpainting": "9fc7eac643ac6672d32309dd175330044c7de4537be541ddea6926b10b17de21",
    "codeformer_colorization": "7fe0e2a5d30ebb29bcacee1e89f65c810e44e8e08439f2384fb4c6483f3cb1e6",
    "vqgan_discriminator": "c0923bb57b7f22e700cec7a635b948b423eb2150aa89878e6491a831216e2130",
    "difface_unet512": "1f72c4bf9482f19ff061d9bfae769f6a16ac8fe437a28cae9fca0ae7cbb47f3c",
    "difface_unet256": "fa0a4267b9ed6ccbce83fdb866bd29cbba4ca66525a4d3b876d6bff3190a2eb2",
    "difface_swinir": "4c6b260d6f9ddc11b9e791c50f51e4120e57c01415192d7d020b9715e4189cbe",
}
"""SHA-256 of each official layout, for clones without the listings."""


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


def listed(name: str) -> list[list[Any]]:
    """Key, shape and dtype of every tensor, as the listings write them."""
    return [
        [key, [list(shape), str(dtype).removeprefix("torch.")]]
        for key, (shape, dtype) in published_layout(name).items()
    ]


@pytest.mark.parametrize("name", PUBLISHED_NETWORKS)
def test_layout_equals_the_official_one(shared: Path, name: str) -> None:
    if name in DIFFACE_NAMES:
        official = json.loads((shared / "reference" / "difface_state_dicts.json").read_text())[DIFFACE_NAMES[name]]
    else:
        networks = json.loads((shared / "reference" / "codeformer_state_dicts.json").read_text())["networks"]
        official = networks[CODEFORMER_NAMES[name]]["state_dict"]
    assert listed(name) == [[key, fact] for key, fact in official.items()]


@pytest.mark.parametrize("name", PUBLISHED_NETWORKS)
def test_layout_has_the_official_one_s_hash(name: str) -> None:
    assert hashlib.sha256(json.dumps(listed(name)).encode()).hexdigest() == OFFICIAL_LAYOUTS[name]


@pytest.mark.parametrize("top", [None, "params_ema", "params", "params_d", "state_dict"])
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


@pytest.mark.parametrize("top", [None, "params_ema", "params", "params_d"])
def test_a_prefix_on_some_keys_is_stripped_there(discriminator_state: dict[str, Tensor], top: str | None) -> None:
    mixed = {
        f"module.{key}" if number % 2 else key: tensor
        for number, (key, tensor) in enumerate(discriminator_state.items())
    }
    network = load_published("vqgan_discriminator", {top: mixed, "iter": 5} if top else mixed)
    assert all(torch.equal(tensor, discriminator_state[key]) for key, tensor in network.state_dict().items())
    twice = mixed | {f"module.{key}": tensor for key, tensor in discriminator_state.items()}
    with pytest.raises(UserError, match=r"both with and without a leading module\."):
        load_published("vqgan_discriminator", {top: twice} if top else twice)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_bare_safetensors_load_too(tmp_path: Path, discriminator_state: dict[str, Tensor], prefix: str) -> None:
    path = tmp_path / "d.safetensors"
    save_file({prefix + key: tensor for key, tensor in discriminator_state.items()}, path)
    network = load_published("vqgan_discriminator", path)
    assert all(torch.equal(tensor, discriminator_state[key]) for key, tensor in network.state_dict().items())
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match=r"d\.safetensors: not a readable weights file \(SafetensorError.*truncated"):
        load_published("vqgan_discriminator", path)


def test_an_exported_network_computes_the_same(tmp_path: Path, discriminator_state: dict[str, Tensor]) -> None:
    network = load_published("vqgan_discriminator", discriminator_state)
    torch.save({"params_d": export_published("vqgan_discriminator", network)}, tmp_path / "d.pth")
    image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert torch.equal(load_published("vqgan_discriminator", tmp_path / "d.pth")(image), network(image))


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


@pytest.mark.parametrize(("wanted", "given"), list(permutations(PUBLISHED_NETWORKS, 2)))
def test_every_wrong_network_is_refused(wanted: str, given: str) -> None:
    expected, state = published_layout(wanted), random_state(given)
    with pytest.raises(UserError) as caught:
        load_published(wanted, {"params_ema": state})
    said = str(caught.value)
    assert said.startswith(f"the given state dict: not the network {wanted!r} (")
    assert said.endswith(f"it is the network {given!r}")
    other_shape = [key for key, (shape, _) in expected.items() if key in state and state[key].shape != shape]
    missing, unknown = [key for key in expected if key not in state], [key for key in state if key not in expected]
    if other_shape:
        key = other_shape[0]
        assert f"({key} has shape {list(state[key].shape)}, expected {list(expected[key][0])}" in said
    else:
        assert f"({missing[0]} is missing" in said if missing else f"({unknown[0]} is unknown" in said


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
    with pytest.raises(UserError, match=r"vqgan_discriminator\.pth: not a readable weights file"):
        load_published("vqgan_discriminator", path)


class Command:
    """Runs a command when it is unpickled the usual way."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


@pytest.mark.parametrize("kind", ["torch", "old torch", "pickle"])
def test_a_file_that_runs_code_is_refused(tmp_path: Path, kind: str) -> None:
    path, trace = tmp_path / "net.pth", tmp_path / "it_ran"
    content = {"params_ema": {"main.0.weight": Command(f"touch {trace}")}}
    if kind == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == "torch")
    reason = (
        "no tensors in a torch file" if kind == "pickle" else r"it would call \w+\.system on loading, which is refused"
    )
    with pytest.raises(UserError, match=rf"net\.pth: not a readable weights file \(.*{reason}"):
        load_published("vqgan_discriminator", path)
    assert not trace.exists()
    pickle.loads(pickle.dumps(content))
    assert trace.exists(), "the file was harmless, so that its refusal proves nothing"


def test_other_content_missing_files_and_names_are_refused(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save({"epoch": 3, "optimizer": {}}, tmp_path / "state.pth")
    with pytest.raises(UserError, match=r"list\.pth: holds a list"):
        load_published("vqgan", tmp_path / "list.pth")
    with pytest.raises(UserError, match=r"state\.pth: expected a dict of tensors.*epoch, optimizer"):
        load_published("vqgan", str(tmp_path / "state.pth"))
    with pytest.raises(UserError, match=r"absent\.pth: no such weights file"):
        load_published("vqgan", tmp_path / "absent.pth")
    with pytest.raises(UserError, match="'gfpgan' is no published network: choose one of vqgan, codeformer,"):
        load_published("gfpgan", {})
