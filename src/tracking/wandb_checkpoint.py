"""The checkpoint of a run as a W&B artifact."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from src.checkpoints.files import sha256_of


def log_checkpoint(
    run: Any,
    source: Path,
    name: str,
    *,
    upload: bool,
    aliases: Sequence[str] = ("final",),
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Log weights as an artifact of type `model`, once a run and on purpose: its last ones.

    Without `upload` the artifact holds references: paths, sizes and MD5 checksums, but no bytes. Both kinds carry the
    SHA-256 of every file in their metadata (`sha256`: name to digest), which is how records name weights.

    Args:
        run: a W&B run (`WandbLogger.experiment`).
        source: a file, or a folder that is taken with its sub-folders, hidden files left out.
        name: of the artifact; characters that W&B forbids become hyphens.
        metadata: facts beside the hashes, for example stage, arm, seed and licence.

    Raises:
        ValueError: `source` holds no file.
    """
    import wandb

    files = _files(source)
    hashes = {label: sha256_of(path) for label, path in files.items()}
    facts = {**(metadata or {}), "sha256": hashes}
    artifact = wandb.Artifact(re.sub(r"[^\w.-]+", "-", name), type="model", metadata=facts)
    for label, path in files.items():
        if upload:
            # Finished weights do not change any more: "immutable" and skip_cache save two copies of them on this disk.
            artifact.add_file(str(path), name=label, policy="immutable", skip_cache=True)
        else:
            artifact.add_reference(path.as_uri(), name=label)
    run.log_artifact(artifact, aliases=list(aliases))


def _files(source: Path) -> dict[str, Path]:
    """Path by name in the artifact."""
    root = source.resolve()
    found = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
    base = root.parent if root.is_file() else root
    files = {path.relative_to(base).as_posix(): path for path in found}
    kept = {label: path for label, path in files.items() if not any(part.startswith(".") for part in label.split("/"))}
    if not kept:
        raise ValueError(f"{source} holds no file to log as a checkpoint")
    return kept
