"""No-reference quality of single faces by pyiqa, each metric under pyiqa's own name (conventions.md 6.1)."""

import contextlib
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from src.checkpoints.catalogue import CATALOGUE, verified_weights
from src.checkpoints.files import sha256_of
from src.metrics.definition import MetricDefinition
from src.metrics.face_batch import FaceBatch, Image
from src.metrics.float32 import float32_convolutions
from src.metrics.kind import BuildContext, CannotMeasure, missing_packages, missing_weights
from src.metrics.metric import FaceMetric
from src.metrics.pyiqa_weights import (
    WeightsAskedFor,
    cached_hub_model,
    given_weights,
    joint_sha256,
    missing_hub_model,
    no_network,
    quiet_and_safe,
)
from src.settings.errors import UserError

NO_FACE = "No face detected"
"""How pyiqa's metrics of faces refuse an image."""


@dataclass(frozen=True, kw_only=True)
class PyiqaKind:
    """A no-reference metric of pyiqa with its default options; direction and range are pyiqa's."""

    name: str
    """pyiqa's name, verbatim."""
    weights: Sequence[str] = ()
    """Files that it needs, all of them: entries of the catalogue, or paths of files named as pyiqa names them. Without
    any, pyiqa looks into its own cache, and fetches by itself, unverified, where `metrics.fetch` is true."""
    hub_model: str | None = None
    """Repository of a model of several files that it needs in the hub's own cache; never fetched unasked."""
    packages: Sequence[str] = ()
    """pip packages that it needs and pyiqa does not bring, by the names they are imported by."""
    backbone_in_weights: bool = False
    """Whether the weights hold the timm backbone too, so that timm need not fetch its own."""
    batched: bool = True
    """Whether it takes many faces at once; else one by one."""
    least_side: int = 1
    """Smallest side of faces that it is defined for, pixels."""
    formula: str = ""
    """What it computes; empty refers to pyiqa."""
    source: str = ""
    """Its paper."""

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("name is empty, expected a no-reference metric of pyiqa such as musiq")
        if isinstance(self.weights, str):
            raise ValueError(f"weights is {self.weights!r}, expected a list such as [{self.weights}]")
        if self.least_side < 1:
            raise ValueError(f"least_side is {self.least_side}, expected at least 1")

    def missing(self, context: BuildContext) -> list[str]:
        """What it lacks, found without importing pyiqa."""
        if absent := missing_packages("pyiqa"):
            return absent
        entries = [name for name in self.weights if name in CATALOGUE]
        hub = missing_hub_model(self.hub_model) if self.hub_model else []
        return [*missing_packages(*self.packages), *missing_weights(entries, context), *self._missing_paths(), *hub]

    def _missing_paths(self) -> list[str]:
        given = [Path(name).expanduser() for name in self.weights if name not in CATALOGUE]
        return [
            f"{path}, of its option weights, is neither a file nor a name that `python -m src.weights list` shows"
            for path in given
            if not path.is_file()
        ]

    def build(self, name: str, context: BuildContext) -> FaceMetric:
        """The metric.

        Raises:
            UserError: pyiqa has no such metric.
            CannotMeasure: it asks for weights that are not given, or cannot read them.
        """
        files = [self._path(weights, context) for weights in self.weights]
        model = self._model(name, files, context)
        return NoReferenceQuality(model.net, self._definition(name, model, context), batched=self.batched)

    def _path(self, weights: str, context: BuildContext) -> Path:
        return verified_weights(weights, context.weights_dir) if weights in CATALOGUE else Path(weights).expanduser()

    def _sha256(self, context: BuildContext) -> str | None:
        digests = [
            context.sha256(given) if given in CATALOGUE else sha256_of(Path(given).expanduser())
            for given in self.weights
        ]
        return joint_sha256(digests) if digests else None

    def _model(self, name: str, files: Sequence[Path], context: BuildContext) -> Any:
        with quiet_and_safe():
            import pyiqa

            if self.name not in (known := pyiqa.list_models(metric_mode="NR")):
                raise UserError(self._unknown_sentence(name, known))
            try:
                with self._weights_at_hand(files, context):
                    return pyiqa.create_metric(self.name, device=context.device)
            except WeightsAskedFor as asked:
                raise CannotMeasure(self._asked_sentence(name, asked)) from None
            except Exception as error:  # what a damaged or foreign file raises differs from network to network
                raise CannotMeasure(self._broken_sentence(name, files, error)) from error

    def _weights_at_hand(self, files: Sequence[Path], context: BuildContext) -> contextlib.AbstractContextManager[None]:
        if files:
            return given_weights(self.name, files, backbone_in_weights=self.backbone_in_weights)
        return contextlib.nullcontext() if context.fetch and not self.hub_model else no_network()

    def _unknown_sentence(self, name: str, known: Sequence[str]) -> str:
        likely = ", ".join(get_close_matches(self.name, known) or known)
        return (
            f"metrics.definitions.{name}.name: pyiqa {version('pyiqa')} has no no-reference metric {self.name!r}; choose one "
            f"of {likely}"
        )

    def _asked_sentence(self, name: str, asked: WeightsAskedFor) -> str:
        path = Path(asked.path)
        if self.weights:
            return (
                f"{path.name} is missing: pyiqa's {self.name} asks for it; fetch {asked.url} and add the path of the file to "
                f"metrics.definitions.{name}.weights"
            )
        return f"{path.name} is missing: fetch {asked.url} and put it at {path}, or set metrics.fetch=true"

    def _broken_sentence(self, name: str, files: Sequence[Path], error: Exception) -> str:
        reason = textwrap.shorten(str(error), 160, placeholder=" ...")
        remedy = "install that package" if isinstance(error, ModuleNotFoundError) else "fetch its files again"
        return (
            f"metrics.definitions.{name}: pyiqa {version('pyiqa')} cannot build {self.name} from "
            f"{', '.join(map(str, files)) or 'what is on this machine'} ({type(error).__name__}: {reason}); {remedy}, or "
            f"leave it out with metrics.leave_out=[{name}]"
        )

    def _definition(self, name: str, model: Any, context: BuildContext) -> MetricDefinition:
        package = f"pyiqa {version('pyiqa')}, {self.name}"
        revision = cached_hub_model(self.hub_model) if self.hub_model else None
        parts = [self.source, package, f"{self.hub_model} at {revision.name}" if revision else ""]
        return MetricDefinition(
            id=name,
            role="no_reference",
            direction="lower" if model.lower_better else "higher",
            range=f"[{model.score_range}]",
            formula=self.formula or f"pyiqa's {self.name}, default options",
            source="; ".join(part for part in parts if part),
            needs=(),
            least_side=self.least_side,
            extractor_sha256=self._sha256(context),
        )


class NoReferenceQuality:
    """A network that scores RGB faces in [0, 1] without anything to compare with."""

    def __init__(self, network: nn.Module, definition: MetricDefinition, *, batched: bool = True) -> None:
        self._network = network.eval()
        self._batched = batched
        self.definitions = (definition,)

    @torch.inference_mode()
    def measure(self, faces: FaceBatch) -> dict[str, Float[Tensor, "b"]]:
        """One score a face; NaN where the network finds no face."""
        image = faces.restored
        groups = [image] if self._batched else list(image.split(1))
        return {self.definitions[0].id: torch.cat([self._score(group) for group in groups])}

    def _score(self, image: Image) -> Float[Tensor, "b"]:
        with _no_advice(), float32_convolutions():
            try:
                return self._network(image).double().reshape(len(image))
            except AssertionError as error:
                if NO_FACE not in str(error):
                    raise
                return torch.full((len(image),), torch.nan, dtype=torch.float64, device=image.device)


@contextlib.contextmanager
def _no_advice() -> Iterator[None]:
    """Without pyiqa's remark, repeated for every face, that it aligns faces."""
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The faces will be aligned", category=UserWarning)
        yield
