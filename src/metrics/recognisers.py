"""Networks that recognise faces, each under the name that its metrics bear."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from src.checkpoints.catalogue import load_weights
from src.metrics.arcface_alignment import align
from src.metrics.face_batch import Extractor, Image, Landmarks
from src.metrics.kind import BuildContext, missing_weights
from src.networks.mobilefacenet import MobileFaceNet


class AlignedEmbedder:
    """A recogniser on faces aligned to the ArcFace template, normalised by a mean and a deviation of RGB in [0, 1]."""

    def __init__(
        self, key: str, network: nn.Module, mean: Sequence[float], deviation: Sequence[float], device: torch.device
    ) -> None:
        self.key = key
        self._network = network.to(device).eval()
        self._mean = torch.tensor(mean, device=device).view(1, 3, 1, 1)
        self._deviation = torch.tensor(deviation, device=device).view(1, 3, 1, 1)

    @torch.inference_mode()
    def __call__(self, image: Image, landmarks: Landmarks | None) -> Float[Tensor, "b d"]:
        """Unit-norm embeddings of RGB faces in [0, 1]; NaN where a landmark is not finite."""
        embedding = normalize(self._network((align(image, landmarks) - self._mean) / self._deviation))
        if landmarks is None:
            return embedding
        # grid_sample clamps NaN into the image, so that such a face would pass for a measured one.
        located = landmarks.isfinite().flatten(1).all(1).to(embedding.device)
        return embedding.where(located[:, None], torch.nan)


class MobileFaceNetEmbedder(AlignedEmbedder):
    """MobileFaceNet, 128-d (weights/README.md)."""

    def __init__(self, weights: dict[str, Tensor], device: torch.device) -> None:
        network = MobileFaceNet()
        network.load_state_dict(weights)
        super().__init__("mobilefacenet", network, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), device)


class ArcFaceEmbedder(AlignedEmbedder):
    """ArcFace IR-SE50, 512-d, from facexlib's class; facexlib's own builder downloads and needs CUDA (conventions.md 1)."""

    def __init__(self, weights: dict[str, Tensor], device: torch.device) -> None:
        from facexlib.recognition.arcface_arch import Backbone

        network = Backbone(num_layers=50, drop_ratio=0.6, mode="ir_se")
        network.load_state_dict(weights)
        super().__init__("arcface_irse50", network, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), device)


class RenderedFaceEmbedder:
    """The suite's own recogniser, trained on rendered identities; takes whole aligned faces."""

    key = "rendered"

    def __init__(self, network: nn.Module) -> None:
        self._network = network.eval()

    @torch.inference_mode()
    def __call__(self, image: Image, landmarks: Landmarks | None) -> Float[Tensor, "b d"]:
        """Unit-norm embeddings of RGB faces in [0, 1]."""
        return normalize(self._network(image * 2 - 1))


@dataclass(frozen=True)
class Recogniser:
    """A recogniser that metrics can name."""

    source: str
    """Network, size of its embedding and alignment, as it stands in definitions."""
    missing: Callable[[BuildContext], list[str]]
    """A sentence for everything that is lacking here."""
    load: Callable[[BuildContext], Extractor]
    sha256: Callable[[BuildContext], str]
    """Hash of its weights."""


def _published(
    weights: str, source: str, embedder: Callable[[dict[str, Tensor], torch.device], Extractor]
) -> Recogniser:
    return Recogniser(
        source,
        lambda context: missing_weights([weights], context),
        lambda context: embedder(load_weights(weights, context.weights_dir), context.device),
        lambda context: context.sha256(weights),
    )


def _rendered_recogniser(context: BuildContext) -> tuple[nn.Module, str]:
    assert context.rendered_recogniser is not None
    return context.rendered_recogniser


def _rendered_missing(context: BuildContext) -> list[str]:
    return [] if context.rendered_recogniser else ["it recognises rendered faces only, and these are others"]


RECOGNISERS = {
    "rendered": Recogniser(
        "this suite's recogniser of rendered faces",
        _rendered_missing,
        lambda context: RenderedFaceEmbedder(_rendered_recogniser(context)[0].to(context.device)),
        lambda context: _rendered_recogniser(context)[1],
    ),
    "arcface_irse50": _published(
        "arcface_ir_se50", "ArcFace IR-SE50 512-d (facexlib), ArcFace alignment at 112", ArcFaceEmbedder
    ),
    "mobilefacenet": _published(
        "mobilefacenet", "MobileFaceNet 128-d, ArcFace alignment at 112", MobileFaceNetEmbedder
    ),
}
"""Recognisers by the name that `recogniser` options take."""
