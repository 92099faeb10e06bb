"""Which file `checkpoint=` means. Imports no torch, so that a mistake is told at once."""

from pathlib import Path

from src.checkpoints.download import fetch_weights
from src.checkpoints.store import BUNDLED
from src.restorers.clr_face_files import HEADS, clr_face_files
from src.restorers.knobs import NETWORKS
from src.settings.errors import UserError

STAGES_OF_KIND = {
    "codeformer": ("cft",),
    "latent_encoder": ("latent_encoder", "latent_score", "latent_mask"),
    "identity_recovery": ("identity_recovery", "latent_mask"),
}
"""Stages whose runs hold the final weights of a kind of network, where it is not the one of its name alone."""
PUBLISHED = "published"
PUBLISHED_NETWORK = {
    "difface": {"diffusion_prior": "difface_unet512", "restoration_backbone": "difface_swinir"},
    "difface_inpainting": {"diffusion_prior": "difface_unet256"},
    "difface_backbone": {"restoration_backbone": "difface_swinir"},
}
"""Name of the authors' network, by restorer and network, where it is another."""
SEARCH_WORDS = (PUBLISHED, "bundled")
"""Values of `checkpoint` that mean a backbone too."""
TRAINED_BY = {
    "diffusion_prior": "stage=diffusion_prior",
    "restoration_backbone": "arm=swinir",
    "texture_fusion": "arm=dense",
    "latent_score": "stage=latent_mask",
    "latent_mask": "stage=latent_mask",
    "latent_encoder": "stage=latent_encoder",
    "identity_recovery": "stage=identity_recovery",
}
"""What to train for a kind of network, where quickstart does not."""


def resolve_checkpoint(text: str, kind: str, weights_dir: str | None = None, key: str = "checkpoint") -> Path:
    """The weights file of a network of this kind, or of a published name.

    `text` is a weights file; a run folder, whose `weights/<kind>.safetensors` is taken; `published`, the authors' file,
    which is fetched if it is not at hand; `bundled`, the run that comes with the repository; or
    `bundled/<start of its name>` where there are several.

    Raises:
        UserError: nothing is there; says which command makes it.
    """
    if text == PUBLISHED:
        return fetch_weights(kind, weights_dir)
    if _means_bundled(text):
        return _bundled(text, kind, key)
    path = Path(text).expanduser()
    if path.is_file():
        return path
    if not text or not path.is_dir():
        raise UserError(
            f"{key}: {text or 'an empty path'} does not exist; give a run folder or a weights file, or {_make_one(kind)}"
        )
    return _in_run(path, kind, key)


def resolve_checkpoints(
    restorer: str, checkpoint: str, backbone: str | None, weights_dir: str | None = None
) -> dict[str, Path]:
    """The weights file of every network of a restorer, by the network's name; none where it learned nothing.

    `backbone` None is where `checkpoint` is, if that is `published` or `bundled`.

    Raises:
        UserError: a file is missing, or the backbone is not given.
    """
    if restorer in HEADS:
        return _of_clr_face(restorer, checkpoint)
    texts = dict.fromkeys(NETWORKS.get(restorer, ()), checkpoint)
    keys = dict.fromkeys(texts, "checkpoint")
    if len(texts) > 1:
        texts["restoration_backbone"] = _backbone_text(checkpoint, backbone)
        keys["restoration_backbone"] = "sampling.backbone"
    published = PUBLISHED_NETWORK.get(restorer, {})
    # The backbone first: where it cannot be had, the prior need not be fetched.
    found = {
        network: _of_network(texts[network], network, published, weights_dir, keys[network])
        for network in reversed(texts)
    }
    files = {network: found[network] for network in texts}
    return companions(files["texture_fusion"]) if "texture_fusion" in files else files


def companions(path: Path) -> dict[str, Path]:
    """A fusion network with the weights files that were written beside it."""
    beside = [*path.parent.glob("*.safetensors"), *path.parent.glob("generative_*")]
    return {"texture_fusion": path} | {other.stem: other for other in sorted(beside)}


def _of_clr_face(restorer: str, checkpoint: str) -> dict[str, Path]:
    if checkpoint == PUBLISHED:
        raise UserError(
            f"checkpoint: the authors published no weights of this method; {_make_one(HEADS[restorer][0])}, or take bundled"
        )
    there = [kind for kind in HEADS[restorer] if _holds(checkpoint, kind)]
    return clr_face_files(restorer, resolve_checkpoint(checkpoint, there[0] if there else HEADS[restorer][-1]))


def _holds(text: str, kind: str) -> bool:
    if _means_bundled(text):
        return any(name.startswith(_start(text)) for name in _bundled_runs(kind))
    return bool(text) and any(path.is_file() for path in _places(Path(text).expanduser(), kind))


def _backbone_text(checkpoint: str, backbone: str | None) -> str:
    if backbone is None and checkpoint not in SEARCH_WORDS:
        raise UserError(
            "sampling.backbone: not given; checkpoint is the diffusion prior, and a restoration backbone belongs to it: give "
            "its run folder or file, published or bundled"
        )
    return checkpoint if backbone is None else backbone


def _of_network(text: str, network: str, published: dict[str, str], weights_dir: str | None, key: str) -> Path:
    if text != PUBLISHED:
        return resolve_checkpoint(text, network, weights_dir, key)
    if network == "texture_fusion":
        raise UserError(
            f"{key}: the authors published no weights of this method; {_make_one(network)}, or take bundled"
        )
    if published and network not in published:
        raise UserError(
            f"{key}: the authors' {network} of this method is no network of this suite; give one of your own"
        )
    return fetch_weights(published.get(network, network), weights_dir)


def _make_one(kind: str) -> str:
    return f"train one with `python -m src.train {TRAINED_BY.get(kind, '+experiment=quickstart')}`"


def _in_run(folder: Path, kind: str, key: str) -> Path:
    for candidate in _places(folder, kind):
        if candidate.is_file():
            return candidate
    raise UserError(
        f"{key}: the folder {folder} holds no weights/{kind}.safetensors; give the folder of a finished run, or "
        f"{_make_one(kind)}"
    )


def _places(folder: Path, kind: str) -> tuple[Path, ...]:
    return folder / "weights" / f"{kind}.safetensors", folder / f"{kind}.safetensors"


def _means_bundled(text: str) -> bool:
    return text == "bundled" or text.startswith("bundled/")


def _start(text: str) -> str:
    """Of the name of a bundled run."""
    return text.removeprefix("bundled").lstrip("/")


def _bundled_runs(kind: str) -> dict[str, Path]:
    """Weights by the run's name, of the first stage that has any."""
    for stage in STAGES_OF_KIND.get(kind, (kind,)):
        if found := {path.parents[1].name: path for path in BUNDLED.glob(f"{stage}/*/weights/{kind}.safetensors")}:
            return found
    return {}


def _bundled(text: str, kind: str, key: str) -> Path:
    found = _bundled_runs(kind)
    if not found:
        raise UserError(
            f"{key}: no {kind} weights are bundled with this copy; {_make_one(kind)}, and give its run folder"
        )
    fitting = [path for name, path in found.items() if name.startswith(_start(text))]
    if len(fitting) != 1:
        choices = ", ".join(f"bundled/{name}" for name in sorted(found))
        raise UserError(f"{key}: {text} fits {len(fitting)} of the bundled {kind} weights; choose one of {choices}")
    return fitting[0]
