"""Published checkpoints: their sizes, strict loading, and export in their layout (codeformer.md 1.1-1.3, difface.md 2)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from src.checkpoints.tensor_file import bare_state_dict, read_tensor_file
from src.networks import CodeFormer, DiffusionUnet, PatchDiscriminator, SwinIr, VqAutoencoder
from src.settings.errors import UserError
from src.settings.scale import CodePredictorSize, DiffusionUnetSize, DiscriminatorSize, SwinIrSize, VqAutoencoderSize

AUTOENCODER_SIZE = VqAutoencoderSize(
    image_size=512,
    width=64,
    multipliers=[1, 2, 2, 4, 4, 8],
    residual_blocks=2,
    attention_sizes=[16],
    norm_groups=32,
    codebook_size=1024,
    code_dim=256,
)
INPAINTING_AUTOENCODER_SIZE = replace(AUTOENCODER_SIZE, codebook_size=512)
CODE_PREDICTOR_SIZE = CodePredictorSize(dim=512, heads=8, layers=9)
DISCRIMINATOR_SIZE = DiscriminatorSize(width=64, layers=4)
FUSED_SIZES = (32, 64, 128, 256)
COARSER_FUSED_SIZES = (32, 64, 128)
"""CFT sizes of the released inpainting and colorization networks."""
DIFFUSION_UNET512_SIZE = DiffusionUnetSize(
    image_size=512,
    width=32,
    multipliers=[1, 2, 4, 8, 8, 16, 16],
    residual_blocks=[1, 2, 2, 2, 2, 3, 4],
    attention_sizes=[32, 16, 8],
    head_width=64,
    norm_groups=32,
)
DIFFUSION_UNET256_SIZE = DiffusionUnetSize(
    image_size=256,
    width=128,
    multipliers=[1, 1, 2, 2, 4, 4],
    residual_blocks=[2, 2, 2, 2, 2, 2],
    attention_sizes=[16, 8],
    head_width=64,
    norm_groups=32,
)
SWINIR_SIZE = SwinIrSize(
    image_size=512,
    downscale=8,
    width=180,
    depths=[6] * 8,
    heads=[6] * 8,
    window=8,
    mlp_ratio=2.0,
    up_width=64,
    drop_path=0.1,
)

PUBLISHED_NETWORKS: Mapping[str, Callable[[], nn.Module]] = MappingProxyType(
    {
        "vqgan": partial(VqAutoencoder, AUTOENCODER_SIZE),
        "codeformer": partial(CodeFormer, AUTOENCODER_SIZE, CODE_PREDICTOR_SIZE, FUSED_SIZES),
        "codeformer_inpainting": partial(
            CodeFormer, INPAINTING_AUTOENCODER_SIZE, CODE_PREDICTOR_SIZE, COARSER_FUSED_SIZES
        ),
        "codeformer_colorization": partial(CodeFormer, AUTOENCODER_SIZE, CODE_PREDICTOR_SIZE, COARSER_FUSED_SIZES),
        "vqgan_discriminator": partial(PatchDiscriminator, DISCRIMINATOR_SIZE),
        "difface_unet512": partial(DiffusionUnet, DIFFUSION_UNET512_SIZE),
        "difface_unet256": partial(DiffusionUnet, DIFFUSION_UNET256_SIZE),
        "difface_swinir": partial(SwinIr, SWINIR_SIZE),
    }
)
"""Constructor of every published network by name."""

SHOWN_DIFFERENCES = 3
LIKENESS_FLOOR = 0.5
"""Share of common tensors from which on a file counts as resembling a network."""

Layout = Mapping[str, tuple[tuple[int, ...], torch.dtype]]


@lru_cache
def published_layout(name: str) -> Layout:
    """Shape and dtype of every tensor of a published network, in the published order. UserError for another name."""
    with torch.device("meta"):
        state = _constructor(name)().state_dict()
    return MappingProxyType({key: (tuple(tensor.shape), tensor.dtype) for key, tensor in state.items()})


def load_published(name: str, weights: str | Path | Mapping[str, Any]) -> nn.Module:
    """Build a published network in eval mode with the weights of a file or of an already loaded mapping.

    The weights may be under one of `WEIGHT_KEYS` or bare, with or without a leading `module.`; keys and shapes must be
    the published ones. Raises UserError that names the file and the first differences otherwise.
    """
    constructor = _constructor(name)
    if isinstance(weights, str | Path):
        source, loaded = str(weights), read_tensor_file(Path(weights))
    else:
        source, loaded = "the given state dict", weights
    state = bare_state_dict(loaded, source)
    _check_layout(name, state, source)
    layout = published_layout(name)
    with torch.device("meta"):
        network = constructor()
    # Copies, so that training the network never changes the caller's tensors.
    own = {key: state[key].detach().to("cpu", dtype, copy=True).contiguous() for key, (_, dtype) in layout.items()}
    network.load_state_dict(own, strict=True, assign=True)
    return network.eval()


def export_published(name: str, network: nn.Module) -> dict[str, Tensor]:
    """State dict of a network in exactly the published keys, shapes, dtypes and order, on the CPU.

    Raises UserError if the network does not have the published sizes.
    """
    state = network.state_dict()
    _check_layout(name, state, "the network to export")
    return {
        key: state[key].detach().to("cpu", dtype, copy=True).contiguous()
        for key, (_, dtype) in published_layout(name).items()
    }


def _constructor(name: str) -> Callable[[], nn.Module]:
    if name not in PUBLISHED_NETWORKS:
        raise UserError(f"{name!r} is no published network: choose one of {', '.join(PUBLISHED_NETWORKS)}")
    return PUBLISHED_NETWORKS[name]


def _check_layout(name: str, state: Mapping[str, Tensor], source: str) -> None:
    differences = _differences(published_layout(name), state)
    if not differences:
        return
    shown = "; ".join(differences[:SHOWN_DIFFERENCES])
    more = len(differences) - SHOWN_DIFFERENCES
    if more > 0:
        shown += f"; and {more} more"
    raise UserError(f"{source}: not the network {name!r} ({shown}); {_resemblance(state)}")


def _differences(layout: Layout, state: Mapping[str, Tensor]) -> list[str]:
    found = [
        f"{key} has shape {list(state[key].shape)}, expected {list(shape)}"
        for key, (shape, _) in layout.items()
        if key in state and tuple(state[key].shape) != shape
    ]
    found += [f"{key} is missing" for key in layout if key not in state]
    return found + [f"{key} is unknown" for key in state if key not in layout]


def _resemblance(state: Mapping[str, Tensor]) -> str:
    shapes = {(key, tuple(tensor.shape)) for key, tensor in state.items()}

    def likeness(name: str) -> float:
        expected = {(key, shape) for key, (shape, _) in published_layout(name).items()}
        return len(shapes & expected) / len(shapes | expected)

    best = max(PUBLISHED_NETWORKS, key=likeness)
    if likeness(best) == 1.0:
        return f"it is the network {best!r}"
    if likeness(best) >= LIKENESS_FLOOR:
        return f"it looks like {best!r}"
    return "it looks like none of the published networks"
