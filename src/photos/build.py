"""From the settings of `python -m src.restore` to the parts of a restoration."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from src.checkpoints.catalogue import find_weights, licence_of
from src.checkpoints.download import fetch_weights
from src.checkpoints.files import sha256_of
from src.memory import keep_freed_memory
from src.photos.background import Background, BilinearBackground, LanczosBackground, NetworkBackground
from src.photos.compose import Composer
from src.photos.detector import PhotoDetector, build_detector
from src.photos.face_batches import FaceBatches
from src.photos.open_photo import AlignedFaceOpener, PhotoOpener, WholePhotoOpener
from src.photos.parsing import FaceParser, build_parser
from src.photos.restoration import Restoration
from src.photos.stream import RestorationStream
from src.restorers.base import Restorer
from src.restorers.chosen import ChosenRestorer, Setting
from src.restorers.device import torch_device
from src.restorers.knobs import DIFFACE, DRAWING
from src.restorers.latent_sampling import latent_sampling_of
from src.restorers.precision import choose_precision
from src.restorers.sampling import sampling_of
from src.settings.restore import RestoreConfig

BATCH_SIZES = {"cuda": 8, "cpu": 1}
"""Faces a pass by kind of device."""


@dataclass(frozen=True)
class BuiltRestoration:
    """A restoration, and what its report says of the method."""

    restoration: Restoration
    restorer: Restorer
    facts: dict[str, Any]
    setting: str
    """Device and precision in words."""


def build_restoration(config: RestoreConfig, chosen: ChosenRestorer) -> BuiltRestoration:
    """Every part that the settings ask for; weights that are missing are fetched.

    Raises:
        UserError: a weights file is missing and cannot be fetched, or is not what it should be; the device is absent.
    """
    device = torch_device(config.device)
    if device.type == "cpu":
        keep_freed_memory()
    precision = choose_precision(config.precision, device)
    restorer = chosen.built(_setting(config), device, precision)
    weights = dict(chosen.weights)
    opener: PhotoOpener
    parser = None
    if config.aligned:
        opener = AlignedFaceOpener(restorer.image_size)
    else:
        detector = build_detector(
            config.detector, config.detection, config.weights_dir, device, _given(config.detector_weights)
        )
        weights |= detector.weights
        opener = WholePhotoOpener(
            PhotoDetector(detector, config.detection),
            face_size=restorer.image_size or config.paste.face_size,
            sampling=config.paste.sampling,
            least_side=config.least_side,
            only_center=config.only_center,
        )
        parser, parser_weights = _parser(config, device)
        weights |= parser_weights
    background = _background(config, device)
    batch_size = config.batch_size or BATCH_SIZES[device.type]
    stream = RestorationStream(opener, FaceBatches(restorer, parser, device), batch_size)
    composer = Composer(background, config.upscale, config.paste.feather, _colour(config))
    setting = f"{device}, {precision.description}"
    facts = _facts(config, restorer, chosen, weights | background.weights, setting, parser is not None)
    restoration = Restoration(stream, composer, config.workers, config.greatest_megapixels)
    return BuiltRestoration(restoration, restorer, facts, setting)


def _setting(config: RestoreConfig) -> Setting:
    if config.restorer in DIFFACE:
        return Setting(sampling=sampling_of(config.sampling, config.restorer, config.seed))
    if config.restorer in DRAWING:
        return Setting(latent_sampling=latent_sampling_of(config.sampling, config.guidance, config.seed))
    return Setting(config.fidelity, config.adain)


def _parser(config: RestoreConfig, device: torch.device) -> tuple[FaceParser | None, dict[str, str]]:
    if config.parsing == "none":
        return None, {}
    path = _given(config.parsing_weights) or find_weights("parsenet", config.weights_dir)
    if path is None and config.parsing == "parsenet":
        path = fetch_weights("parsenet", config.weights_dir)
    return (None, {}) if path is None else (build_parser(path, device), {"parsenet": sha256_of(path)})


def _background(config: RestoreConfig, device: torch.device) -> Background:
    if config.background == "lanczos":
        return LanczosBackground()
    if config.background == "bilinear":
        return BilinearBackground()
    path = _given(config.background_weights) or fetch_weights("realesrgan_x2plus", config.weights_dir)
    return NetworkBackground(path, config.tile, device)


def _given(path: str | None) -> Path | None:
    return None if path is None else Path(path).expanduser()


def _colour(config: RestoreConfig) -> str:
    """Restorers that are asked to change colours or single pixels are not corrected unless the user wants it."""
    own_colours = config.restorer in ("codeformer_colorization", "codeformer_inpainting", "difface_inpainting")
    return "keep" if own_colours and config.colour == "auto" else config.colour


def _facts(
    config: RestoreConfig,
    restorer: Restorer,
    chosen: ChosenRestorer,
    weights: dict[str, str],
    setting: str,
    parses: bool,
) -> dict[str, Any]:
    licences = {name: licence_of(chosen.files.get(name), sha) for name, sha in weights.items()}
    return {
        "restorer": restorer.name,
        "knobs": restorer.knobs,
        "checkpoints": {name: str(path) for name, path in chosen.files.items()},
        "weights_sha256": weights,
        "weights_licences": {name: licence for name, licence in licences.items() if licence is not None},
        "image_size": restorer.image_size,
        "parameters": restorer.parameters,
        "network_evaluations": restorer.network_evaluations,
        "computed_on": setting,
        "blended_by": "parts of the face" if parses else "soft square",
        "settings": asdict(config),
    }
