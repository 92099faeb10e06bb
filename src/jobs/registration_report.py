"""How a registration works on the faces of the benchmark: its diagnostics, and a picture of what it does."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from src.checkpoints.network_file import load_network
from src.config.stage_order import is_rendered
from src.data.benchmark import Benchmark
from src.data.image_file import write_png
from src.data.levels import to_levels, to_network
from src.faces.field_picture import RegistrationPicture, registration_sheet
from src.jobs.build_codeformer_plus_plus import landmark_finder
from src.jobs.restorations import channels_first
from src.jobs.upstream import Upstreams
from src.metrics.face_landmarks import LandmarkFinder, has_mtcnn
from src.metrics.identity_loss import build_identity_loss, has_guide
from src.metrics.landmark_networks import UNIT_SIDE
from src.networks.codeformer_branches import Branches
from src.registration.diagnostics import diagnosed, in_pixels_of
from src.registration.registered import LandmarkPair, Registered
from src.restorers.codeformer_plus_plus import PlusPlusNetworks
from src.settings.commands import TrainConfig
from src.stages.field_columns import LONGEST

PICTURE_SCALE = 2


@dataclass(frozen=True)
class RegistrationAtWork:
    """A registration with what makes its branches."""

    branches: Callable[[Tensor, list[int]], Branches]
    registered: Callable[[Branches], Registered]
    """The registration of the face: what is timed."""
    parameters: int
    whole: Callable[[Branches, Registered], tuple[Registered, float]] = lambda _, registered: (registered, 0.0)
    """With what an alignment of features moves beside it, and the seconds that the alignment took."""


@dataclass(frozen=True)
class Judges:
    """What says where the landmarks of a face are, and who is on it; None where nothing can."""

    finder: LandmarkFinder | None
    embed: Callable[[Tensor], Tensor] | None


@dataclass(frozen=True)
class RegistrationReport:
    """What there is to say of a registration."""

    diagnostics: dict[str, float]
    """Means over the faces (`DIAGNOSTICS` of src.leaderboard.diagnostics)."""
    shown: list[RegistrationPicture]


def of_system(networks: PlusPlusNetworks) -> RegistrationAtWork:
    """The registration of a whole system, with what its alignment of features moves."""

    def whole(branches: Branches, registered: Registered) -> tuple[Registered, float]:
        with timed(networks.fusion.alignments.values()) as spent:
            fused = networks.fused(branches, registered)
        return networks.whole_registration(branches, registered, fused), sum(spent)

    modules = [networks.registration, networks.fusion.alignments]
    modules += [networks.finder] if isinstance(networks.finder, nn.Module) else []
    parameters = sum(weight.numel() for module in modules for weight in module.parameters())
    return RegistrationAtWork(networks.branches, networks.registered, parameters, whole)


@contextmanager
def timed(modules: Iterable[nn.Module]) -> Iterator[list[float]]:
    """Collects the seconds of every call of these modules."""
    spent: list[float] = []
    began: list[float] = []
    hooks = []
    for module in modules:
        hooks.append(module.register_forward_pre_hook(lambda *_: began.append(now())))
        hooks.append(module.register_forward_hook(lambda *_: spent.append(now() - began.pop())))
    try:
        yield spent
    finally:
        for hook in hooks:
            hook.remove()


def now() -> float:
    """Seconds of a clock, when the GPU has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def judges_of(config: TrainConfig, upstreams: Upstreams, device: torch.device) -> Judges:
    """Detector and recogniser of rendered faces for these; for photographs what is at hand."""
    weights_dir = config.metrics.weights_dir
    finder = landmark_finder(config, upstreams) if is_rendered(config) or has_mtcnn() else None
    if isinstance(finder, nn.Module):
        finder.to(device)
    if is_rendered(config):
        recogniser = load_network(upstreams.of("recogniser").weights_file("recogniser")).network
        return Judges(finder, build_identity_loss(weights_dir, recogniser).to(device).embed)
    if not has_guide(weights_dir):
        return Judges(finder, None)
    return Judges(finder, build_identity_loss(weights_dir, None).to(device).embed)


@torch.inference_mode()
def report_of(
    work: RegistrationAtWork, benchmark: Benchmark, judges: Judges, device: torch.device, *, batch_size: int, shown: int
) -> RegistrationReport:
    """Register every face of the benchmark."""
    values: dict[str, list[Tensor]] = {}
    seconds: list[float] = []
    pictures: list[RegistrationPicture] = []
    for start in range(0, len(benchmark), batch_size):
        part = slice(start, min(start + batch_size, len(benchmark)))
        lq = to_network(channels_first(benchmark.lq[part]).to(device))
        branches = work.branches(lq, list(range(part.start, part.stop)))
        if start == 0:
            work.registered(branches)  # the first call is slower
        began = now()
        first = work.registered(branches)
        face = now() - began
        registered, features = work.whole(branches, first)
        seconds.append((face + features) / len(lq))
        truth = None if benchmark.hq is None else to_network(channels_first(benchmark.hq[part]).to(device))
        for name, value in _measured(branches, registered, truth, judges).items():
            values.setdefault(name, []).append(value.cpu())
        pictures += list(_pictures(branches, registered))[: max(0, shown - len(pictures))]
    per_face = in_pixels_of(UNIT_SIDE, {name: torch.cat(parts) for name, parts in values.items()}, benchmark.size)
    means = {name: float(value.nanmean()) for name, value in per_face.items()}
    cost = {"milliseconds": float(np.median(seconds)) * 1000, "parameters": float(work.parameters)}
    return RegistrationReport(means | cost, pictures)


def _measured(branches: Branches, registered: Registered, truth: Tensor | None, judges: Judges) -> dict[str, Tensor]:
    moving, fixed, moved = branches.generative, branches.identity, registered.warped
    pair, detected = None, None
    if judges.finder is not None:
        pair, detected = LandmarkPair(judges.finder(moving), judges.finder(fixed)), judges.finder(moved)
    values = diagnosed(moving, fixed, registered, pair, detected)
    if judges.embed is not None and truth is not None:
        goal = judges.embed(truth)
        values["identity_before"] = cosine_similarity(judges.embed(moving), goal)
        values["identity_after"] = cosine_similarity(judges.embed(moved), goal)
    return values


def _pictures(branches: Branches, registered: Registered) -> Iterator[RegistrationPicture]:
    faces = (branches.generative, branches.identity, registered.warped)
    moving, fixed, moved = (to_levels(face).permute(0, 2, 3, 1).cpu().numpy() for face in faces)
    field = registered.field
    fields = (
        np.zeros((len(moving), 2, *moving.shape[1:3]), np.float32) if field is None else field.float().cpu().numpy()
    )
    for each in zip(moving, fixed, moved, fields, strict=True):
        yield RegistrationPicture(*each)


def write_sheet(path: Path, report: RegistrationReport) -> None:
    """A row a face: moving, fixed, warped, field, grid."""
    side = report.shown[0].fixed.shape[0]
    labels = [str(number + 1) for number in range(len(report.shown))]
    write_png(path, registration_sheet(report.shown, labels, side * LONGEST, PICTURE_SCALE))
