"""Published networks as runs of the store, so that training can build on them."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from src.checkpoints.catalogue import licence_of
from src.checkpoints.files import sha256_of
from src.checkpoints.network_file import save_network
from src.checkpoints.published import (
    AUTOENCODER_SIZE,
    CODE_PREDICTOR_SIZE,
    DISCRIMINATOR_SIZE,
    FUSED_SIZES,
    load_published,
)
from src.checkpoints.store import RunStatus, RunStore, StoredRun, write_status

SETTINGS: dict[str, dict[str, Any]] = {
    "vqgan": {"autoencoder": asdict(AUTOENCODER_SIZE)},
    "vqgan_discriminator": {"discriminator": asdict(DISCRIMINATOR_SIZE)},
    "codeformer": {
        "autoencoder": asdict(AUTOENCODER_SIZE),
        "code_predictor": asdict(CODE_PREDICTOR_SIZE),
        "fused_sizes": list(FUSED_SIZES),
    },
}
"""What rebuilds each network."""
UNKNOWN = "unknown: no file of the catalogue"
DIGITS = 10
"""Of the published file's hash, in the name of the run."""


def import_published(
    vqgan: Path, discriminator: Path, code_predictor: Path, store: Path
) -> tuple[StoredRun, StoredRun]:
    """Finished runs of the stages vqgan and code_predictor with the weights of published files.

    Their facts carry the files' hashes and licences. A file that was imported before gives the same run.

    Raises:
        UserError: a file is missing, damaged or another network.
    """
    first = _import(store, "vqgan", {"vqgan": vqgan, "vqgan_discriminator": discriminator}, {})
    ingredients = {"vqgan": first.status.weights["vqgan"]}
    return first, _import(store, "code_predictor", {"codeformer": code_predictor}, ingredients)


def _import(store: Path, stage: str, files: Mapping[str, Path], ingredients: dict[str, str]) -> StoredRun:
    hashes = {kind: sha256_of(path) for kind, path in files.items()}
    licences = {kind: licence_of(path, hashes[kind]) or UNKNOWN for kind, path in files.items()}
    name = f"published-{next(iter(hashes.values()))[:DIGITS]}"
    folder = RunStore(store).folder(stage, name)
    weights = {}
    for kind, path in files.items():
        facts = {"source": path.name, "source_sha256": hashes[kind], "licence": licences[kind]}
        target = folder / "weights" / f"{kind}.safetensors"
        weights[kind] = save_network(target, kind, load_published(kind, path), SETTINGS[kind], facts)
    facts_of_run = {"ingredients": ingredients, "published": hashes, "licences": licences}
    return write_status(folder, RunStatus(stage, name, name, "finished", weights, facts_of_run))
