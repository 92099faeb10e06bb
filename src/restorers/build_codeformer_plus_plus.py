"""From the files of CodeFormer++'s networks to its restorers."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from src.checkpoints.network_file import LoadedNetwork, load_network
from src.metrics.face_landmarks import DetectedLandmarks, LandmarkFinder, MtcnnLandmarks
from src.networks import CodeFormer, LandmarkDetector, TextureFusion
from src.restorers.branch_recipe import BRANCHES_FACT, recipe_of_fact
from src.restorers.codeformer_plus_plus import CodeFormerPlusPlusRestorer, PlusPlusNetworks
from src.restorers.precision import EXACT, Precision
from src.settings.codeformer_plus_plus import LANDMARK_METHODS
from src.settings.errors import UserError

Network = TypeVar("Network", bound=nn.Module)


def build_codeformer_plus_plus(
    files: Mapping[str, Path], device: torch.device, precision: Precision = EXACT
) -> CodeFormerPlusPlusRestorer:
    """CodeFormer++ on `device`.

    Raises:
        UserError: a file is missing, damaged or holds another network.
    """
    return CodeFormerPlusPlusRestorer(load_plus_plus(files, device), precision)


def load_plus_plus(files: Mapping[str, Path], device: torch.device) -> PlusPlusNetworks:
    """The networks of a trained system; raises what `build_codeformer_plus_plus` raises."""
    fusion = _loaded(files, "texture_fusion")
    registration = _loaded(files, "registration")
    network = _of_kind(_loaded(files, "codeformer"), CodeFormer, files["codeformer"])
    recipe = recipe_of_fact(fusion.facts.get(BRANCHES_FACT), files["texture_fusion"])
    method = str(registration.settings["method"]["kind"])
    return PlusPlusNetworks(
        branches=recipe.maker(network, device).to(device),
        registration=registration.network.to(device),
        method=method,
        finder=_finder(files, device) if method in LANDMARK_METHODS else None,
        fusion=_of_kind(fusion, TextureFusion, files["texture_fusion"]).to(device),
        injection=str(fusion.settings["injection"]),
        alignment=str(fusion.settings["alignment"]),
    )


def _loaded(files: Mapping[str, Path], name: str) -> LoadedNetwork:
    if name not in files:
        raise UserError(
            f"checkpoint: {files['texture_fusion'].parent} holds no {name}.safetensors, which belongs to the fusion network; "
            "give the folder of a finished run of stage texture_fusion"
        )
    return load_network(files[name])


def _of_kind(loaded: LoadedNetwork, kind: type[Network], path: Path) -> Network:
    if not isinstance(loaded.network, kind):
        raise UserError(f"{path}: holds a {loaded.kind}, and a {kind.__name__} is needed")
    return loaded.network


def _finder(files: Mapping[str, Path], device: torch.device) -> LandmarkFinder:
    """The detector that the system was trained with, else that of photographs."""
    if "landmark_detector" not in files:
        return MtcnnLandmarks(device)
    path = files["landmark_detector"]
    return DetectedLandmarks(_of_kind(load_network(path), LandmarkDetector, path)).to(device)
