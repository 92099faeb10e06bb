"""Networks that recognise faces, each under the name that its metrics bear."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize

from src.checkpoints.catalogue import verified_weights
from src.metrics.arcface_alignment import align
from src.metrics.dlib_recogniser import DlibEmbedder
from src.metrics.face_batch import Extractor, Image, Landmarks
from src.metrics.kind import BuildContext, missing_packages, missing_weights
from src.metrics.published_network import load_published
from src.networks.adaface_ir101 import AdaFaceIr101
from src.networks.arcface_resnet18 import SIDE as GREY_SIDE
from src.networks.arcface_resnet18 import ArcFaceResNet18
from src.networks.mobilefacenet import MobileFaceNet

SIGNED = (0.5, 0.5, 0.5)
"""Mean and deviation that take [0, 1] to [-1, 1]."""
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
GUIDE = "guide"
"""The recogniser that guides what is measured; what it sees is shown, and stands for nothing."""
LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a grey level (ITU-R BT.601)."""


class AlignedEmbedder:
    """A recogniser on faces aligned to the ArcFace template, normalised by a mean and a deviation of RGB in [0, 1]."""

    def __init__(
        self,
        key: str,
        network: nn.Module,
        mean: Sequence[float] = SIGNED,
        deviation: Sequence[float] = SIGNED,
        is_bgr: bool = False,
    ) -> None:
        self.key = key
        self.network = network.eval()
        self._mean = torch.tensor(mean).view(1, 3, 1, 1)
        self._deviation = torch.tensor(deviation).view(1, 3, 1, 1)
        self._is_bgr = is_bgr

    @torch.inference_mode()
    def __call__(self, image: Image, landmarks: Landmarks | None) -> Float[Tensor, "b d"]:
        """Unit-norm embeddings of RGB faces in [0, 1]; NaN where a landmark is not finite."""
        embedding = self.embed(image, landmarks)
        if landmarks is None:
            return embedding
        # grid_sample clamps NaN into the image, so that such a face would pass for a measured one.
        located = landmarks.isfinite().flatten(1).all(1).to(embedding.device)
        return embedding.where(located[:, None], torch.nan)

    def embed(self, image: Image, landmarks: Landmarks | None) -> Float[Tensor, "b d"]:
        """The embeddings, with gradient, whatever the landmarks are."""
        faces = (align(image, landmarks) - self._mean.to(image)) / self._deviation.to(image)
        return normalize(self.network(faces.flip(1) if self._is_bgr else faces))


class GreyEmbedder:
    """ArcFace's ResNet-18 on whole FFHQ-aligned faces, as GFPGAN shows them to it: grey, 128, bilinear, in [-1, 1]."""

    key = "arcface_resnet18_grey"

    def __init__(self, network: nn.Module) -> None:
        self.network = network.eval()

    @torch.inference_mode()
    def __call__(self, image: Image, landmarks: Landmarks | None) -> Float[Tensor, "b d"]:
        """Unit-norm embeddings of RGB faces in [0, 1]; `landmarks` are not used."""
        return self.embed(image, landmarks)

    def embed(self, image: Image, landmarks: Landmarks | None) -> Float[Tensor, "b d"]:
        """The embeddings, with gradient."""
        grey = (image * torch.tensor(LUMA).view(1, 3, 1, 1).to(image)).sum(1, keepdim=True)
        face = interpolate(grey, (GREY_SIDE, GREY_SIDE), mode="bilinear", align_corners=False)
        return normalize(self.network(face * 2 - 1))


class OwnEmbedder:
    """A recogniser that this suite has trained; takes whole aligned faces."""

    def __init__(self, key: str, network: nn.Module) -> None:
        self.key = key
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
    weights: str,
    source: str,
    network: Callable[[], nn.Module],
    embedder: Callable[[nn.Module], Extractor],
    prefix: str = "",
) -> Recogniser:
    """A network of the catalogue; of its file the keys that start with `prefix` count."""

    def load(context: BuildContext) -> Extractor:
        built = network()
        load_published(built, weights, context, prefix)
        return embedder(built.to(context.device))

    return Recogniser(
        source, lambda context: missing_weights([weights], context), load, lambda context: context.sha256(weights)
    )


def _arcface_irse50() -> nn.Module:
    # facexlib's own builder downloads and needs CUDA (conventions.md 1); its import takes seconds.
    from facexlib.recognition.arcface_arch import Backbone

    return Backbone(num_layers=50, drop_ratio=0.6, mode="ir_se")


def _own(
    key: str, source: str, trained: Callable[[BuildContext], tuple[nn.Module, str] | None], lacking: str
) -> Recogniser:
    """A network that this suite trains; `lacking` says why a context has none."""

    def found(context: BuildContext) -> tuple[nn.Module, str]:
        network = trained(context)
        assert network is not None
        return network

    return Recogniser(
        source,
        lambda context: [lacking] if trained(context) is None else [],
        lambda context: OwnEmbedder(key, found(context)[0].to(context.device)),
        lambda context: found(context)[1],
    )


def _dlib_missing(context: BuildContext) -> list[str]:
    return [*missing_packages("dlib"), *missing_weights(["dlib_recogniser", "dlib_landmarks"], context)]


def _dlib(context: BuildContext) -> Extractor:
    files = [verified_weights(name, context.weights_dir) for name in ("dlib_recogniser", "dlib_landmarks")]
    return DlibEmbedder(*files)


RECOGNISERS = {
    "rendered": _own(
        "rendered",
        "this suite's recogniser of rendered faces",
        lambda context: context.rendered_recogniser,
        "it recognises rendered faces only, and these are others",
    ),
    GUIDE: _own(
        GUIDE,
        "the recogniser of this suite that guided",
        lambda context: context.guide_recogniser,
        "no recogniser of this suite guides what is measured",
    ),
    "arcface_irse50": _published(
        "arcface_ir_se50",
        "ArcFace IR-SE50 512-d (facexlib), ArcFace alignment at 112",
        _arcface_irse50,
        lambda network: AlignedEmbedder("arcface_irse50", network),
    ),
    "adaface_ir101": _published(
        "adaface_ir101",
        "AdaFace IR-101 512-d (Kim et al., CVPR 2022; WebFace12M), ArcFace alignment at 112",
        AdaFaceIr101,
        lambda network: AlignedEmbedder("adaface_ir101", network, is_bgr=True),
        prefix="model.",
    ),
    "arcface_resnet18_grey": _published(
        "arcface_resnet18",
        "ArcFace ResNet-18 512-d (GFPGAN, VQFR), the whole face in grey at 128",
        ArcFaceResNet18,
        GreyEmbedder,
    ),
    "mobilefacenet": _published(
        "mobilefacenet",
        "MobileFaceNet 128-d, ArcFace alignment at 112",
        MobileFaceNet,
        lambda network: AlignedEmbedder("mobilefacenet", network, *IMAGENET),
    ),
    "dlib": Recogniser(
        "dlib's ResNet 128-d (pip packages dlib-bin and face-recognition-models), aligned by its five-point predictor; "
        "cosines of two people are about 0.83",
        _dlib_missing,
        _dlib,
        lambda context: context.sha256("dlib_recogniser"),
    ),
}
"""Recognisers by the name that `recogniser` options take."""
