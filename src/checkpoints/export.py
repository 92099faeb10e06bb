"""Exports a network to the published layout, to safetensors or to ONNX."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from src.checkpoints.catalogue import licence_of
from src.checkpoints.entries import PUBLISHED_ADAIN
from src.checkpoints.files import atomic_path, sha256_of
from src.checkpoints.network_file import LoadedNetwork, is_network_file, load_network, save_network
from src.checkpoints.onnx_export import FIDELITIES, export_onnx
from src.checkpoints.published import PUBLISHED_NETWORKS, export_published, load_published
from src.checkpoints.store import read_run
from src.networks import CodeFormer, DiffusionUnet, PatchDiscriminator, SwinIr, VqAutoencoder
from src.settings.errors import UserError

FORMATS = ("pth", "safetensors", "onnx")
KIND_OF_STAGE = {
    "vqgan": "vqgan",
    "code_predictor": "codeformer",
    "cft": "codeformer",
    "recogniser": "recogniser",
    "diffusion_prior": "diffusion_prior",
    "restoration_backbone": "restoration_backbone",
}
"""Network that a stage is for, where its runs hold several."""
LAYOUT_OF_KIND = {"diffusion_unet": "difface_unet512", "swinir": "difface_swinir"}
"""Published layout of a kind of another name, where --layout chooses none."""
BARE = ("difface_unet512", "difface_unet256", "difface_swinir")
"""Layouts whose published program reads the tensors at the top of the file."""
PUBLISHED_FACT = "published"
"""Fact that names the published network a file was read as."""


def export_weights(
    source: Path, output: Path, *, file_format: str, layout: str | None, kind: str | None, adain: bool | None
) -> str:
    """Write the network of a run folder or weights file to `output`, and return a sentence about it.

    - `pth`: as published, the state dict under `params_ema` (discriminator: `params_d`; DifFace: bare), in the published
      keys, order, shapes and dtypes of `layout`, by default of the network's own kind.
    - `safetensors`: the same keys at the network's own sizes; the header rebuilds it (`load_network`).
    - `onnx`: see `export_onnx`; CodeFormer and VQ autoencoder only.

    `layout` names a published network that the file must equal in any format. `kind` chooses a run's network; for a
    published file `kind` or `layout` names the network that it is. `adain` is for ONNX; by default what the network was
    trained with, or what the published script takes.

    Raises:
        UserError: `output` exists; `source` is missing or damaged; the network does not have the published sizes or
            cannot be written in this format; an option does not apply.
    """
    _check_request(output, file_format, adain)
    opened = _opened(_weights_file(source, kind), kind, layout)
    if layout is not None and file_format != "pth":
        _published_state(opened, layout)
    if file_format == "pth":
        own = opened.facts.get(PUBLISHED_FACT, LAYOUT_OF_KIND.get(opened.kind, opened.kind))
        written = _write_published(opened, output, layout or own)
    elif file_format == "safetensors":
        save_network(output, opened.kind, opened.network, opened.settings, opened.facts)
        written = f"{opened.kind} with {len(opened.network.state_dict())} tensors"
    else:
        written = _write_onnx(opened, output, adain)
    return f"wrote {output} ({output.stat().st_size / 1e6:.1f} MB): {written}"


def _check_request(output: Path, file_format: str, adain: bool | None) -> None:
    if file_format not in FORMATS:
        raise UserError(f"--format: {file_format!r} is not one of {', '.join(FORMATS)}")
    if adain is not None and file_format != "onnx":
        raise UserError(
            f"--adain: only an ONNX file fixes adain, a {file_format} file leaves it to its reader; leave it out"
        )
    if file := next((folder for folder in output.absolute().parents if folder.is_file()), None):
        raise UserError(f"--output: {file} is a file, not a folder; give another name")
    if output.exists():
        raise UserError(f"--output: {output} exists; delete it or give another name")


def _weights_file(source: Path, kind: str | None) -> Path:
    if source.is_file():
        return source
    if not source.is_dir():
        raise UserError(f"{source}: does not exist; give a run folder or a weights file")
    folder = source / "weights" if (source / "weights").is_dir() else source
    files = {path.stem: path for path in sorted(folder.glob("[!.]*.safetensors"))}
    if not files:
        raise UserError(f"{source}: holds no weights/<kind>.safetensors; give the folder of a finished run")
    run = read_run(source)
    wanted = kind or (KIND_OF_STAGE.get(run.status.stage) if run else None)
    if wanted is None and len(files) == 1:
        return next(iter(files.values()))
    if wanted not in files:
        missing = f"no {wanted} weights" if wanted else "several networks"
        raise UserError(f"{source}: holds {missing}; choose one with --kind: {', '.join(files)}")
    return files[wanted]


def _opened(path: Path, kind: str | None, layout: str | None) -> LoadedNetwork:
    if not is_network_file(path):
        return _opened_published(path, kind or layout)
    loaded = load_network(path)
    if kind is not None and kind != loaded.kind:
        raise UserError(f"--kind: {path} holds a {loaded.kind}, not a {kind}; leave --kind out or give another file")
    return loaded


def _opened_published(path: Path, name: str | None) -> LoadedNetwork:
    if name is None:
        raise UserError(
            f"{path}: does not say which network it holds; add --kind with one of {', '.join(PUBLISHED_NETWORKS)}"
        )
    network = load_published(name, path)
    kind, settings = _description(network)
    digest = sha256_of(path)
    facts = {PUBLISHED_FACT: name, "source": path.name, "source_sha256": digest}
    # Other weights in the authors' layout have another licence, so that the layout says nothing about it.
    if licence := licence_of(path, digest):
        facts["licence"] = licence
    if kind == "codeformer":
        facts["adain"] = str(PUBLISHED_ADAIN[name]).lower()
    return LoadedNetwork(network=network, kind=kind, settings=settings, facts=facts, sha256=digest)


def _description(network: nn.Module) -> tuple[str, dict[str, Any]]:
    """Kind and settings of a published network, as `save_network` takes them."""
    if isinstance(network, CodeFormer):
        sizes = {"autoencoder": asdict(network.size), "code_predictor": asdict(network.predictor_size)}
        return "codeformer", sizes | {"fused_sizes": list(network.fused_sizes)}
    if isinstance(network, VqAutoencoder):
        return "vqgan", {"autoencoder": asdict(network.size)}
    if isinstance(network, DiffusionUnet):
        return "diffusion_unet", {"diffusion_unet": asdict(network.size)}
    if isinstance(network, SwinIr):
        return "swinir", {"swinir": asdict(network.size)}
    assert isinstance(network, PatchDiscriminator)
    return "vqgan_discriminator", {"discriminator": asdict(network.size)}


def _published_state(opened: LoadedNetwork, layout: str) -> dict[str, torch.Tensor]:
    if layout not in PUBLISHED_NETWORKS and layout == opened.kind:
        raise UserError(f"a {layout} has no published layout; --format safetensors keeps any network")
    try:
        return export_published(layout, opened.network)
    except UserError as error:
        raise UserError(f"{error}; --format safetensors without --layout keeps other sizes") from error


def _write_published(opened: LoadedNetwork, output: Path, layout: str) -> str:
    state = _published_state(opened, layout)
    key = None if layout in BARE else "params_d" if layout == "vqgan_discriminator" else "params_ema"
    # Through a handle, because torch.save writes the name of a file it opens itself into that file.
    with atomic_path(output) as temporary, temporary.open("wb") as handle:
        torch.save({key: state} if key else state, handle)
    return f"{len(state)} tensors{f' under {key}' if key else ''} in the published layout {layout}"


def _write_onnx(opened: LoadedNetwork, output: Path, adain: bool | None) -> str:
    network = opened.network
    if not isinstance(network, CodeFormer | VqAutoencoder):
        raise UserError(
            f"--format onnx: only codeformer and vqgan can be exported so, not a {opened.kind}; take safetensors or pth"
        )
    if adain is not None and not isinstance(network, CodeFormer):
        raise UserError(f"--adain: a {opened.kind} has none; leave it out")
    matched = opened.facts.get("adain") == "true" if adain is None else adain
    facts = opened.facts | {"adain": str(matched).lower()} if isinstance(network, CodeFormer) else opened.facts
    agreement = export_onnx(network, output, adain=matched, metadata=facts | {"kind": opened.kind})
    knobs = f" at fidelity {', '.join(f'{w:g}' for w in FIDELITIES)}, adain {'on' if matched else 'off'}"
    return (
        f"{opened.kind} for ONNX Runtime; against torch on two test images"
        f"{knobs if isinstance(network, CodeFormer) else ''}: mean difference {agreement.mean_difference:.1e}, "
        f"largest {agreement.max_difference:.1e} of the range [-1, 1], "
        f"{agreement.equal_codes:.2%} of the codes equal"
    )
