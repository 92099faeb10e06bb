"""Every kind of metric by the name that `kind` takes in `metrics.definitions`."""

from src.metrics.distribution import FrechetKind, KernelKind
from src.metrics.dists import DistsKind
from src.metrics.fidelity import PsnrKind, SsimKind
from src.metrics.identity import IdentityDropKind, IdentityKind, IdentityToInputKind
from src.metrics.kind import MetricKind
from src.metrics.landmark_distance import LandmarkDistanceKind
from src.metrics.ms_ssim import MsSsimKind
from src.metrics.no_reference import PyiqaKind
from src.metrics.ntire_score import IdentityFailuresKind, NtireScoreKind
from src.metrics.perceptual import LpipsKind, StLpipsKind
from src.metrics.reference_distance import FrechetReferenceKind, FrechetStatisticsKind, KernelReferenceKind
from src.metrics.region_distance import RegionDistanceKind, RegionIdentityDropKind

KINDS: dict[str, type[MetricKind]] = {
    "psnr": PsnrKind,
    "ssim": SsimKind,
    "ms_ssim": MsSsimKind,
    "lpips": LpipsKind,
    "st_lpips": StLpipsKind,
    "dists": DistsKind,
    "frechet": FrechetKind,
    "kernel": KernelKind,
    "frechet_reference": FrechetReferenceKind,
    "kernel_reference": KernelReferenceKind,
    "frechet_statistics": FrechetStatisticsKind,
    "identity": IdentityKind,
    "identity_drop": IdentityDropKind,
    "identity_to_input": IdentityToInputKind,
    "region_distance": RegionDistanceKind,
    "region_identity_drop": RegionIdentityDropKind,
    "landmark_distance": LandmarkDistanceKind,
    "pyiqa": PyiqaKind,
    "identity_failures": IdentityFailuresKind,
    "ntire_face_score": NtireScoreKind,
}
