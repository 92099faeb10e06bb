"""Every kind of metric by the name that `kind` takes in `metrics.definitions`."""

from src.metrics.distribution import FrechetKind, KernelKind
from src.metrics.fidelity import PsnrKind, SsimKind
from src.metrics.identity import IdentityDropKind, IdentityKind, IdentityToInputKind
from src.metrics.kind import MetricKind
from src.metrics.perceptual import LpipsKind, StLpipsKind

KINDS: dict[str, type[MetricKind]] = {
    "psnr": PsnrKind,
    "ssim": SsimKind,
    "lpips": LpipsKind,
    "st_lpips": StLpipsKind,
    "frechet": FrechetKind,
    "kernel": KernelKind,
    "identity": IdentityKind,
    "identity_drop": IdentityDropKind,
    "identity_to_input": IdentityToInputKind,
}
