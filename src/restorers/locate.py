"""Which file `checkpoint=` means. Imports no torch, so that a mistake is told at once."""

from pathlib import Path

from src.checkpoints.download import fetch_weights
from src.checkpoints.store import BUNDLED
from src.restorers.knobs import NETWORKS
from src.settings.errors import UserError

STAGE_OF_KIND = {"codeformer": "cft"}
"""Stage whose runs hold the final weights of a kind of network, where it has another name."""
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
    if text == "bundled" or text.startswith("bundled/"):
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
    for candidate in (folder / "weights" / f"{kind}.safetensors", folder / f"{kind}.safetensors"):
        if candidate.is_file():
            return candidate
    raise UserError(
        f"{key}: the folder {folder} holds no weights/{kind}.safetensors; give the folder of a finished run, or "
        f"{_make_one(kind)}"
    )


def _bundled(text: str, kind: str, key: str) -> Path:
    stage = STAGE_OF_KIND.get(kind, kind)
    found = {path.parents[1].name: path for path in BUNDLED.glob(f"{stage}/*/weights/{kind}.safetensors")}
    if not found:
        raise UserError(
            f"{key}: no {kind} weights are bundled with this copy; {_make_one(kind)}, and give its run folder"
        )
    start = text.removeprefix("bundled").lstrip("/")
    fitting = [path for name, path in found.items() if name.startswith(start)]
    if len(fitting) != 1:
        choices = ", ".join(f"bundled/{name}" for name in sorted(found))
        raise UserError(f"{key}: {text} fits {len(fitting)} of the bundled {kind} weights; choose one of {choices}")
    return fitting[0]
