"""Which files of a run CLR-Face's restorers are made of; imports no torch."""

from pathlib import Path

CLR_FACE_FILES = {
    "clr_face": ("latent_mask", "latent_score", "latent_autoencoder", "latent_encoder", "identity_recovery", "guide"),
    "clr_face_encoder": ("latent_encoder", "latent_autoencoder"),
    "identity_recovery": ("identity_recovery",),
}
"""Names of the networks of each restorer; runs keep each as <name>.safetensors."""
HEADS = {
    "clr_face": ("latent_mask", "latent_score"),
    "clr_face_encoder": ("latent_encoder",),
    "identity_recovery": ("identity_recovery",),
}
"""The network that `checkpoint` is, the first one that is there; the others lie beside it."""


def clr_face_files(restorer: str, path: Path) -> dict[str, Path]:
    """The file of a head with those of the other networks that lie beside it, by the network's name."""
    names = CLR_FACE_FILES[restorer]
    own = path.stem if path.stem in HEADS[restorer] else HEADS[restorer][-1]
    beside = {name: path.with_name(f"{name}.safetensors") for name in names if name != own}
    return {own: path} | {name: other for name, other in beside.items() if other.is_file()}
