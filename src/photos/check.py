"""Rules of the settings of `python -m src.restore`; imports no torch."""

from collections.abc import Iterator
from pathlib import Path

from src.faces.open_picture import PILLOW_MEGAPIXELS
from src.restorers.knobs import DIFFACE, DRAWING, checked_fidelity, checked_kind, foreign_settings
from src.restorers.sampling import sampling_of
from src.settings.errors import UserError
from src.settings.restore import BACKGROUNDS, COLOURS, DETECTORS, PARSERS, PRECISIONS, SAMPLINGS, RestoreConfig

DEVICES = ("auto", "cpu", "cuda")
GREATEST_UPSCALE = 16


def check_settings(config: RestoreConfig) -> None:
    """Raises:
    UserError: names every setting that is out of its range.
    """
    checked_kind(config.restorer)
    if config.fidelity is not None:
        checked_fidelity(config.fidelity)
    if config.restorer in DIFFACE:
        sampling_of(config.sampling, config.restorer, config.seed)
    elif config.restorer in DRAWING:
        _check_guided(config)
    if problems := [*_choices(config), *_ranges(config), *_combinations(config)]:
        raise UserError("; ".join(problems))


def _check_guided(config: RestoreConfig) -> None:
    # Guidance knows its noising process, and so torch, which the mistakes of other methods need not wait for.
    from src.restorers.latent_sampling import latent_sampling_of

    sampling = latent_sampling_of(config.sampling, config.guidance, config.seed)
    if sampling.guidance.scale > 0 and sampling.guidance.target == "oracle":
        raise UserError(
            "guidance.target: oracle leads to the clean face, which no photo shows; take recovered or input"
        )


def _choices(config: RestoreConfig) -> Iterator[str]:
    for key, value, allowed in (
        ("detector", config.detector, DETECTORS),
        ("parsing", config.parsing, PARSERS),
        ("background", config.background, BACKGROUNDS),
        ("colour", config.colour, COLOURS),
        ("paste.sampling", config.paste.sampling, SAMPLINGS),
        ("precision", config.precision, PRECISIONS),
        ("device", config.device, DEVICES),
    ):
        if value not in allowed:
            yield f"{key}: {value!r} is not one of {', '.join(allowed)}"


def _ranges(config: RestoreConfig) -> Iterator[str]:
    detection, paste, tile = config.detection, config.paste, config.tile
    for key, value, least, greatest in (
        ("batch_size", 1 if config.batch_size is None else config.batch_size, 1, None),
        ("workers", config.workers, 1, None),
        ("seed", config.seed, 0, 2**32 - 1),
        ("upscale", config.upscale, 0.05, GREATEST_UPSCALE),
        ("least_side", config.least_side, 0, 8192),
        ("greatest_megapixels", config.greatest_megapixels, 0.001, PILLOW_MEGAPIXELS),
        ("detection.short_side", detection.short_side, 64, None),
        ("detection.long_side", detection.long_side, detection.short_side, 32766),
        ("detection.confidence", detection.confidence, 0, 1),
        ("detection.overlap", detection.overlap, 0, 1),
        ("detection.least_eye_distance", detection.least_eye_distance, 0, None),
        ("paste.face_size", paste.face_size, 32, 4096),
        ("paste.feather", paste.feather, 0, 0.2),
        ("tile.size", tile.size, 32, None),
        ("tile.padding", tile.padding, 0, tile.size),
        ("video.quality", config.video.quality, 0, 51),
    ):
        if value < least:
            yield f"{key}: {value} must be {least} or more"
        elif greatest is not None and value > greatest:
            yield f"{key}: {value} must be {greatest} or less"


def _combinations(config: RestoreConfig) -> Iterator[str]:
    yield from foreign_settings(config.restorer, config.fidelity, config.adain, config.sampling, config.guidance)
    if config.seed and config.restorer not in DRAWING:
        yield f"seed: {config.seed} changes nothing, since {config.restorer} draws nothing; leave it at 0"
    if config.background_weights is not None and config.background != "realesrgan":
        yield "background_weights: is used by background=realesrgan only; add that or leave it out"
    if config.detector_weights is not None and config.detector == "mtcnn":
        yield "detector_weights: mtcnn brings its own; leave it out or choose another detector"
    if config.parsing_weights is not None and config.parsing == "none":
        yield "parsing_weights: parsing=none uses none; leave out one of the two"
    for key in ("detector_weights", "parsing_weights", "background_weights"):
        given = getattr(config, key)
        if given is not None and not Path(given).expanduser().is_file():
            yield f"{key}: {given} does not exist; give the path of a weights file"
    if config.aligned and config.only_center:
        yield "only_center: has no meaning for aligned faces; leave out one of aligned and only_center"
