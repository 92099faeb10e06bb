"""A suite of small metrics that are quick and count their passes."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from src.metrics.definition import MetricDefinition
from src.metrics.distribution import DistanceToTruth
from src.metrics.face_batch import FaceBatch
from src.metrics.fidelity import Psnr
from src.metrics.identity import Identity, IdentityDrop
from src.metrics.set_distances import frechet_distance, kernel_distance
from src.metrics.suite import MetricSuite, SuiteResult

SIDE = 16


def definition(name: str, role: str = "perceptual", **facts: object) -> MetricDefinition:
    """A definition with nothing but a name."""
    texts = {"direction": "lower", "range": "made up", "formula": "made up", "source": "made up"}
    return MetricDefinition(**{"id": name, "role": role, **texts, **facts})


class CountedExtractor:
    """Six numbers a face; counts the faces it was given."""

    key = "extractor"

    def __init__(self) -> None:
        self.faces = 0

    def __call__(
        self, image: Float[Tensor, "b 3 h w"], landmarks: Float[Tensor, "b 5 2"] | None = None
    ) -> Float[Tensor, "b 6"]:
        self.faces += len(image)
        features = torch.cat([image.mean((2, 3)), image.std((2, 3))], dim=1)
        return features if landmarks is None else features + landmarks.mean((1, 2))[:, None]


class CountedEmbedder(CountedExtractor):
    """The same as unit-norm embeddings."""

    key = "embedder"

    def __call__(
        self, image: Float[Tensor, "b 3 h w"], landmarks: Float[Tensor, "b 5 2"] | None = None
    ) -> Float[Tensor, "b 6"]:
        return normalize(super().__call__(image, landmarks) - 0.4)


class FailingMetric:
    """Mean absolute error that cannot be measured on the first and the last face of a batch."""

    definitions = (definition("broken"),)

    def measure(self, faces: FaceBatch) -> dict[str, Float[Tensor, "b"]]:
        values = (faces.restored - faces.truth).abs().mean((1, 2, 3))
        values[0], values[-1] = torch.nan, torch.inf
        return {"broken": values}


def small_suite() -> tuple[MetricSuite, CountedEmbedder, CountedExtractor]:
    """PSNR, identity and its drop by one embedder, and two distances by one extractor."""
    embed, extract = CountedEmbedder(), CountedExtractor()
    metrics = [
        Psnr(),
        Identity(
            embed, definition("id_x", "identity", direction="higher"), definition("id_x_degrees", "identity_degrees")
        ),
        IdentityDrop(embed, definition("id_x_drop", "identity_drop", needs=("truth", "input"))),
        DistanceToTruth(extract, definition("fd_x", "distribution"), frechet_distance),
        DistanceToTruth(extract, definition("kd_x", "distribution_unbiased"), kernel_distance),
    ]
    return MetricSuite(metrics, torch.device("cpu")), embed, extract


def faces(seed: int, count: int = 5) -> Tensor:
    """Random levels."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8)


def measured(
    suite: MetricSuite, restored: Tensor, cuts: Sequence[int], benchmark: str = "a", landmarks: Tensor | None = None
) -> SuiteResult:
    """The result on batches of these sizes; truth is `faces(0)`, the input `faces(9)`."""
    evaluator = suite.evaluator(benchmark)
    start = 0
    for count in cuts:
        part = slice(start, start + count)
        points = None if landmarks is None else landmarks[part]
        indices = range(start, start + count)
        evaluator.update(indices, restored[part], faces(0, len(restored))[part], faces(9, len(restored))[part], points)
        start += count
    return evaluator.compute()
