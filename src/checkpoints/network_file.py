"""The suite's own weights file: safetensors with the sizes that rebuild the network in its header."""

import itertools
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from src.checkpoints.files import atomic_path, sha256_of
from src.checkpoints.plain_files import parsed_json
from src.checkpoints.tensor_file import tensor_differences
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
from src.registration.build import registration_from
from src.settings.errors import UserError
from src.settings.scale import (
    CodePredictorSize,
    DiffusionUnetSize,
    DiscriminatorSize,
    LandmarkDetectorSize,
    MobileRecogniserSize,
    RecogniserSize,
    RestorationUnetSize,
    SrcnnSize,
    SwinIrSize,
    TextureFusionSize,
    VqAutoencoderSize,
)

FORMAT = "blind-face-restoration-suite/1"
"""Value of the header's `format`; the number grows when older readers could misread a file."""
HEADER_KEY = "network"
SHOWN_DIFFERENCES = 3
SLACK = 4
"""Times that a parameter may be made and thrown away again while its network is built."""


def _codeformer(settings: dict[str, Any]) -> CodeFormer:
    return CodeFormer(
        VqAutoencoderSize(**settings["autoencoder"]),
        CodePredictorSize(**settings["code_predictor"]),
        settings["fused_sizes"],
    )


def _latent_score(settings: dict[str, Any]) -> LatentScoreUnet:
    size = DiffusionUnetSize(**settings["latent_unet"])
    return LatentScoreUnet(size, settings["latent_channels"], settings["condition_channels"])


NETWORK_KINDS: Mapping[str, Callable[[dict[str, Any]], nn.Module]] = MappingProxyType(
    {
        "vqgan": lambda settings: VqAutoencoder(VqAutoencoderSize(**settings["autoencoder"])),
        "vqgan_discriminator": lambda settings: PatchDiscriminator(DiscriminatorSize(**settings["discriminator"])),
        "codeformer": _codeformer,
        "recogniser": lambda settings: Recogniser(RecogniserSize(**settings["recogniser"])),
        "diffusion_unet": lambda settings: DiffusionUnet(DiffusionUnetSize(**settings["diffusion_unet"])),
        "swinir": lambda settings: SwinIr(SwinIrSize(**settings["swinir"])),
        "srcnn": lambda settings: SrcnnSameResolution(SrcnnSize(**settings["srcnn"])),
        "landmark_detector": lambda settings: LandmarkDetector(LandmarkDetectorSize(**settings["landmark_detector"])),
        "registration": registration_from,
        "texture_fusion": lambda settings: TextureFusion(
            TextureFusionSize(**settings["texture_fusion"]), settings["injection"], settings["alignment"]
        ),
        "latent_autoencoder": lambda settings: LatentAutoencoder(VqAutoencoderSize(**settings["autoencoder"])),
        "latent_encoder": lambda settings: LatentEncoder(VqAutoencoderSize(**settings["autoencoder"])),
        "latent_score": _latent_score,
        "restoration_unet": lambda settings: RestorationUnet(RestorationUnetSize(**settings["restoration_unet"])),
        "mobile_recogniser": lambda settings: MobileRecogniser(MobileRecogniserSize(**settings["mobile_recogniser"])),
        "latent_mask": build_latent_mask,
    }
)
"""Builder of every kind from its settings:

- `vqgan`: {"autoencoder": fields of VqAutoencoderSize}
- `vqgan_discriminator`: {"discriminator": fields of DiscriminatorSize}
- `codeformer`: {"autoencoder": ..., "code_predictor": fields of CodePredictorSize, "fused_sizes": list of int}
- `recogniser`: {"recogniser": fields of RecogniserSize}
- `diffusion_unet`: {"diffusion_unet": fields of DiffusionUnetSize}
- `swinir`: {"swinir": fields of SwinIrSize}
- `srcnn`: {"srcnn": fields of SrcnnSize}
- `landmark_detector`: {"landmark_detector": fields of LandmarkDetectorSize}
- `registration`: what `registration_settings` of src.registration.build gives
- `texture_fusion`: {"texture_fusion": fields of TextureFusionSize, "injection": ..., "alignment": names}
- `latent_autoencoder` and `latent_encoder`: {"autoencoder": fields of VqAutoencoderSize}
- `latent_score`: {"latent_unet": fields of DiffusionUnetSize, "latent_channels": int, "condition_channels": int}
- `restoration_unet`: {"restoration_unet": fields of RestorationUnetSize}
- `mobile_recogniser`: {"mobile_recogniser": fields of MobileRecogniserSize}
- `latent_mask`: what `build_latent_mask` of src.networks.latent_mask takes
"""


@dataclass(frozen=True, kw_only=True)
class LoadedNetwork:
    """A network read from a weights file."""

    network: nn.Module
    """In eval mode, fp32, on the CPU."""
    kind: str
    settings: dict[str, Any]
    facts: dict[str, str]
    sha256: str
    """Of the file's bytes."""


def save_network(
    path: Path, kind: str, network: nn.Module, settings: dict[str, Any], facts: dict[str, str], *, half: bool = False
) -> str:
    """Write a network and return the file's SHA-256; the same content gives the same bytes.

    `facts` are free strings about the weights (run, iteration, licence). `half` stores floating tensors as fp16.
    Raises UserError if the settings do not rebuild the network, or a weight is beyond the range of fp16.
    """
    with torch.device("meta"):
        blank = _build(kind, settings, source=str(path))
    state = {key: _stored(key, tensor, half) for key, tensor in network.state_dict().items()}
    _check_tensors(blank, state, source=str(path))
    description = {"format": FORMAT, "kind": kind, "settings": settings, "facts": facts}
    with atomic_path(path) as temporary:
        # One header entry: safetensors writes several in random order, which would change the hash.
        _save_file(state, temporary, {HEADER_KEY: json.dumps(description, sort_keys=True)})
        return sha256_of(temporary)


def load_network(path: Path) -> LoadedNetwork:
    """Rebuild the network that a weights file holds.

    Raises UserError if the file is missing, truncated, of another program, of an unknown kind, or lacks tensors.
    """
    description, state = _read(path)
    kind, settings = description["kind"], description["settings"]
    with torch.device("meta"), _at_most(len(state)):
        network = _build(kind, settings, source=str(path))
    _check_tensors(network, state, source=str(path))
    dtypes = {key: tensor.dtype for key, tensor in network.state_dict().items()}
    network.load_state_dict({key: state[key].to(dtype) for key, dtype in dtypes.items()}, assign=True)
    return LoadedNetwork(
        network=network.eval(), kind=kind, settings=settings, facts=description["facts"], sha256=sha256_of(path)
    )


def is_network_file(path: Path) -> bool:
    """Whether the file should be read by `load_network`: a safetensors file of this suite, or one too damaged to tell."""
    if path.suffix != ".safetensors":
        return False
    try:
        with safe_open(path, framework="pt") as handle:
            return HEADER_KEY in (handle.metadata() or {})
    except (SafetensorError, OSError):
        return True


@contextmanager
def _at_most(parameters: int) -> Iterator[None]:
    """Stop building a network of far more parameters: a header may promise a billion blocks."""
    built = itertools.count(1)

    def count(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
        if next(built) > SLACK * parameters:
            raise ValueError(f"they describe far more than the {parameters} tensors of the file")

    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()


def _build(kind: str, settings: dict[str, Any], source: str) -> nn.Module:
    if kind not in NETWORK_KINDS:
        raise UserError(f"{source}: unknown kind of network {kind!r}, expected one of {', '.join(NETWORK_KINDS)}")
    try:
        return NETWORK_KINDS[kind](settings)
    except Exception as error:  # settings of a stranger can raise nearly anything inside a constructor
        raise UserError(f"{source}: its settings do not describe a {kind} ({type(error).__name__}: {error})") from error


def _stored(key: str, tensor: Tensor, half: bool) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    if not (half and tensor.is_floating_point()):
        return tensor
    halved = tensor.half()
    if bool((halved.isinf() & tensor.isfinite()).any()):
        raise UserError(f"{key} has values beyond the range of fp16 (65504): save it with half=False")
    return halved


def _save_file(state: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    try:
        save_file(state, path, metadata=metadata)
    except SafetensorError as error:
        # The error of the system, as which a full disk is told, stands in the text alone.
        if found := re.search(r"os error (\d+)", str(error)):
            raise OSError(int(found[1]), os.strerror(int(found[1]))) from None
        raise


def _check_tensors(network: nn.Module, state: dict[str, Tensor], source: str) -> None:
    wrong = tensor_differences(network.state_dict(), state)
    if wrong:
        shown = "; ".join(wrong[:SHOWN_DIFFERENCES])
        raise UserError(f"{source}: {len(wrong)} of its tensors do not fit its settings ({shown})")


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if not path.is_file():
        raise UserError(f"{path}: no such weights file")
    try:
        with safe_open(path, framework="pt") as handle:
            description = parsed_json((handle.metadata() or {}).get(HEADER_KEY, "{}"))
            state = {key: handle.get_tensor(key) for key in handle.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(
            f"{path}: not a readable safetensors file ({error}); it may be truncated: export or fetch it again"
        ) from error
    if not _describes(description):
        raise UserError(
            f"{path}: no weights file of this suite (expected the format {FORMAT!r} in its header);"
            " published files are read by their network's name instead"
        )
    return description, state


def _describes(description: Any) -> bool:
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        return False
    facts = description.get("facts")
    if not (isinstance(description.get("kind"), str) and isinstance(description.get("settings"), dict)):
        return False
    return isinstance(facts, dict) and all(isinstance(text, str) for text in facts.values())
