"""How a registration works on the faces of the benchmark: its diagnostics, and a picture of what it does."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from src.config.stage_order import is_rendered
from src.data.benchmark import Benchmark
from src.data.image_file import write_png
from src.data.levels import to_levels, to_network
from src.faces.field_picture import RegistrationPicture, registration_sheet
from src.jobs.build_codeformer_plus_plus import landmark_finder, rendered_recogniser
from src.jobs.restorations import channels_first
from src.jobs.upstream import Upstreams
from src.metrics.face_landmarks import LandmarkFinder
from src.metrics.identity_loss import build_identity_loss, has_guide
from src.networks.codeformer_branches import Branches
from src.registration.diagnostics import diagnosed
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
    parameters: int


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

    def registered(branches: Branches) -> Registered:
        first = networks.registered(branches)
        return networks.whole_registration(branches, first, networks.fused(branches, first))

    modules = (networks.registration, networks.fusion.alignments)
    return RegistrationAtWork(networks.branches, registered, sum(w.numel() for m in modules for w in m.parameters()))


def judges_of(config: TrainConfig, upstreams: Upstreams) -> Judges:
    """Detector and recogniser of rendered faces for these; for photographs what is at hand."""
    if is_rendered(config):
        return Judges(landmark_finder(config, upstreams), rendered_recogniser(config, upstreams))
    embed = (
        build_identity_loss(config.metrics.weights_dir, None).embed if has_guide(config.metrics.weights_dir) else None
    )
    return Judges(landmark_finder(config, upstreams), embed)


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
        began = time.perf_counter()
        registered = work.registered(branches)
        seconds.append((time.perf_counter() - began) / len(lq))
        truth = None if benchmark.hq is None else to_network(channels_first(benchmark.hq[part]).to(device))
        for name, value in _measured(branches, registered, truth, judges).items():
            values.setdefault(name, []).append(value.cpu())
        pictures += list(_pictures(branches, registered))[: max(0, shown - len(pictures))]
    means = {name: float(torch.cat(parts).nanmean()) for name, parts in values.items()}
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
