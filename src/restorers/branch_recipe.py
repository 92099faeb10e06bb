"""How the two branches of CodeFormer++ are made, as settings and as a trained network's file tells it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from src.checkpoints.plain_files import parsed_json
from src.networks.codeformer import CodeFormer
from src.networks.codeformer_branches import CodeFormerBranches
from src.restorers.base import Restorer
from src.restorers.build_method import Setting, build_method
from src.restorers.knobs import DRAWING
from src.restorers.locate import resolve_checkpoints
from src.restorers.sampling import Sampling, sampling_of
from src.settings.codeformer_plus_plus import BranchSettings
from src.settings.errors import UserError

BRANCHES_FACT = "branches"
"""Name of the recipe among the facts of a weights file."""
CODEFORMER = "codeformer"
PLUGGED = "generative_"
"""Beginning of the names under which the weights of another restorer are kept beside the fusion network's."""


@dataclass(frozen=True)
class PluggedGenerative:
    """Another restorer as the maker of the generative branch (`Generative`)."""

    restorer: Restorer

    def __call__(self, lq: Tensor, keys: Sequence[int]) -> Tensor:
        return self.restorer.restore(lq, keys)


@dataclass(frozen=True)
class BranchRecipe:
    """Fidelities of CodeFormer, and the restorer of the generative branch with its weights files."""

    identity_fidelity: float | int
    generative_fidelity: float | int
    adain: bool
    generative: str
    sampling: Sampling | None = None
    """Of a restorer that draws."""
    files: dict[str, Path] = field(default_factory=dict)
    """Of another restorer than CodeFormer, by the network's name."""

    def maker(self, network: CodeFormer, device: torch.device) -> CodeFormerBranches:
        """What makes both faces; another restorer runs on `device`."""
        return CodeFormerBranches(
            network,
            identity_fidelity=self.identity_fidelity,
            generative_fidelity=self.generative_fidelity,
            adain=self.adain,
            generative=None if self.generative == CODEFORMER else self._plugged(device, network.size.image_size),
        )

    def _plugged(self, device: torch.device, side: int) -> "PluggedGenerative":
        restorer = build_method(self.generative, self.files, Setting(sampling=self.sampling), device)
        if restorer.image_size not in (None, side):
            raise UserError(
                f"branches.generative: {self.generative} was trained at {restorer.image_size} px, CodeFormer at {side} px; "
                "choose two that belong together"
            )
        return PluggedGenerative(restorer)

    def as_fact(self) -> str:
        """The recipe as text, without places of files."""
        return json.dumps({name: value for name, value in asdict(self).items() if name != "files"}, sort_keys=True)

    @property
    def kept_files(self) -> dict[str, Path]:
        """The other restorer's files under the names that `recipe_of_fact` looks for."""
        return {f"{PLUGGED}{network}": path for network, path in self.files.items()}


def recipe_of_settings(settings: BranchSettings, weights_dir: str | None, seed: int) -> BranchRecipe:
    """The recipe of a configuration; `seed` is that of a restorer that draws.

    Raises:
        UserError: the other restorer's weights are missing.
    """
    kind = settings.generative
    files: dict[str, Path] = {}
    if kind != CODEFORMER:
        files = resolve_checkpoints(kind, settings.checkpoint or "", settings.sampling.backbone, weights_dir)
    return BranchRecipe(
        settings.identity_fidelity,
        settings.generative_fidelity,
        settings.adain,
        kind,
        sampling_of(settings.sampling, kind, seed) if kind in DRAWING else None,
        files,
    )


def recipe_of_fact(text: str | None, path: Path) -> BranchRecipe:
    """The recipe that the facts of a fusion network's file tell; the other restorer's files lie beside it.

    Raises:
        UserError: the file does not tell it, or files are missing.
    """
    if text is None:
        raise UserError(f"{path}: does not say how its branches are made; take the file of a training run")
    try:
        told = parsed_json(text)
        sampling = told.pop("sampling")
        recipe = BranchRecipe(**told, sampling=None if sampling is None else Sampling(**sampling))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}: how its branches are made cannot be read ({error}); take the file of a training run"
        ) from None
    found = sorted(path.parent.glob(f"{PLUGGED}*"))
    files = {file.stem.removeprefix(PLUGGED): file for file in found}
    if recipe.generative not in (CODEFORMER, "bicubic", "identity") and not files:
        raise UserError(
            f"{path}: its generative branch is {recipe.generative}'s, whose {PLUGGED}* weights must lie beside it; give the "
            "run folder as it was written"
        )
    return replace(recipe, files=files)
