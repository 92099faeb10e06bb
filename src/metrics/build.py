"""Chooses the metrics of a family from the weights at hand (conventions.md 6; weights_and_data.md)."""

from dataclasses import dataclass, field
from importlib.util import find_spec

import torch
from torch import nn

from src.checkpoints.catalogue import find_weights, load_weights, missing_sentence, verified_weights
from src.checkpoints.files import sha256_of
from src.metrics.distribution import (
    INCEPTION_SOURCE,
    InceptionFeatures,
    MobileNetFeatures,
    frechet_definition,
    kernel_definition,
)
from src.metrics.fidelity import Psnr, Ssim
from src.metrics.identity import ArcFaceEmbedder, MobileFaceNetEmbedder, RenderedFaceEmbedder, identity_definitions
from src.metrics.perceptual import PerceptualDistance, lpips_definition, st_lpips_definition
from src.metrics.perceptual_network import load_lpips, load_st_lpips
from src.metrics.suite import DistributionMetric, IdentityMetric, MetricSuite, PairMetric
from src.settings.commands import MetricsSettings
from src.settings.errors import UserError

STANDARD_WEIGHTS = {
    "perceptual": ("vgg16", "alexnet"),
    "distribution": ("inception_fid",),
    "identity": ("arcface_ir_se50",),
}
"""Weights of the field's own metrics, by role."""

STANDARD_PACKAGES = {"distribution": "torch_fidelity"}
"""pip package that a role's own metric computes with, where it is no dependency of the suite."""

STAND_INS = {"st_lpips", "fd_mobilenetv2", "id_mobilefacenet"}
"""Metrics that are measured only where the field's own cannot be."""

RenderedRecogniser = tuple[nn.Module, str]
"""The suite's recogniser and the SHA-256 of its file."""


@dataclass
class _Parts:
    pairs: list[PairMetric] = field(default_factory=list)
    identities: list[IdentityMetric] = field(default_factory=list)
    distributions: list[DistributionMetric] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


def build_suite(
    settings: MetricsSettings, *, rendered_recogniser: RenderedRecogniser | None, device: torch.device
) -> MetricSuite:
    """The metrics of `settings.family`: `standard`, the `offline` stand-ins, or per role what is at hand (`auto`).

    A stand-in keeps its own name. A role without any weights is left out; the notice says so, and names the stand-ins.
    The recogniser of rendered faces comes first for identity, beside a published one; `standard` measures neither it
    nor a stand-in.
    Raises:
        UserError: the family is `standard` and something is missing (the sentence names every file and where to put it),
            or a file has another hash than published.
    """
    missing = [sentence for role in STANDARD_WEIGHTS for sentence in _missing(settings, role)]
    if settings.family == "standard" and missing:
        raise UserError("metrics.family: standard cannot be measured: " + "; ".join(missing))
    parts = _Parts(pairs=[PairMetric(metric.definition, metric) for metric in (Psnr(), Ssim())])
    _add_perceptual(parts, settings, device)
    _add_distribution(parts, settings, device)
    _add_identity(parts, settings, rendered_recogniser, device)
    suite = MetricSuite(parts.pairs, parts.identities, parts.distributions, "", device)
    suite.notice = _notice(suite, parts.absent)
    return suite


def _missing(settings: MetricsSettings, role: str) -> list[str]:
    """What the field's own metric of a role lacks here, a sentence each."""
    names = [name for name in STANDARD_WEIGHTS[role] if not find_weights(name, settings.weights_dir)]
    sentences = [missing_sentence(name) for name in names]
    package = STANDARD_PACKAGES.get(role)
    if package and not find_spec(package):
        sentences.append(f"the pip package {package.replace('_', '-')} is missing: install it")
    return sentences


def _takes_standard(settings: MetricsSettings, role: str) -> bool:
    return settings.family != "offline" and not _missing(settings, role)


def _hash(name: str, settings: MetricsSettings) -> str:
    return sha256_of(verified_weights(name, settings.weights_dir))


def _add_perceptual(parts: _Parts, settings: MetricsSettings, device: torch.device) -> None:
    where = settings.weights_dir
    if _takes_standard(settings, "perceptual"):
        for trunk, name in (("vgg", "vgg16"), ("alex", "alexnet")):
            network = load_lpips(trunk, where).to(device)
            metric = PerceptualDistance(network, lpips_definition(trunk, _hash(name, settings)))
            parts.pairs.append(PairMetric(metric.definition, metric))
    elif find_weights("st_lpips_alex", where):
        definition = st_lpips_definition(_hash("st_lpips_alex", settings))
        metric = PerceptualDistance(load_st_lpips(where).to(device), definition)
        parts.pairs.append(PairMetric(definition, metric))
    else:
        parts.absent.append("perceptual")


def _add_distribution(parts: _Parts, settings: MetricsSettings, device: torch.device) -> None:
    where = settings.weights_dir
    if _takes_standard(settings, "distribution"):
        source, digest = INCEPTION_SOURCE, _hash("inception_fid", settings)
        extract = InceptionFeatures(str(verified_weights("inception_fid", where)), device)
        frechet = frechet_definition("fid/gt", source, digest)
        parts.distributions.append(DistributionMetric(frechet, kernel_definition("kid/gt", source, digest), extract))
    elif find_weights("mobilenet_v2", where):
        source, digest = "torchvision MobileNetV2 features[:14], mean-pooled, 96-d", _hash("mobilenet_v2", settings)
        features = MobileNetFeatures(load_weights("mobilenet_v2", where), device)
        frechet = frechet_definition("fd_mobilenetv2", source, digest)
        kernel = kernel_definition("kd_mobilenetv2", source, digest)
        parts.distributions.append(DistributionMetric(frechet, kernel, features))
    else:
        parts.absent.append("distribution")


def _add_identity(
    parts: _Parts, settings: MetricsSettings, rendered: RenderedRecogniser | None, device: torch.device
) -> None:
    where = settings.weights_dir
    if rendered is not None and settings.family != "standard":
        network, digest = rendered
        names = identity_definitions("id_rendered", "this suite's recogniser of rendered faces", digest)
        parts.identities.append(IdentityMetric(*names, RenderedFaceEmbedder(network.to(device))))
    if _takes_standard(settings, "identity"):
        source = "ArcFace IR-SE50 512-d (facexlib), ArcFace alignment at 112"
        names = identity_definitions("id_arcface_irse50", source, _hash("arcface_ir_se50", settings))
        arcface = ArcFaceEmbedder(load_weights("arcface_ir_se50", where), device)
        parts.identities.append(IdentityMetric(*names, arcface))
    elif find_weights("mobilefacenet", where):
        source = "MobileFaceNet 128-d, ArcFace alignment at 112"
        names = identity_definitions("id_mobilefacenet", source, _hash("mobilefacenet", settings))
        embedder = MobileFaceNetEmbedder(load_weights("mobilefacenet", where), device)
        parts.identities.append(IdentityMetric(*names, embedder))
    if not parts.identities:
        parts.absent.append("identity")


def _notice(suite: MetricSuite, absent: list[str]) -> str:
    chosen = {role: suite.primary_id(role) for role in ("perceptual", "distribution", "identity")}
    shown = ["psnr", "ssim", *(f"{role} {name}" for role, name in chosen.items() if name)]
    replaced = sorted(STAND_INS & set(suite.definitions))
    stand_ins = f"; stand-ins: {', '.join(replaced)}" if replaced else ""
    missing = f"; no weights for {', '.join(absent)}" if absent else ""
    return f"metrics: {', '.join(shown)}{stand_ins}{missing}"
