"""Makes the branches of all training faces once, where their degradation is frozen."""

from collections.abc import Iterator

import torch
from tqdm import tqdm

from src.config.identity import branch_settings, identity
from src.data import FaceSource
from src.data.branch_faces import FrozenDegradations
from src.data.branch_store import BranchStore, StoredBranches, branches_folder, is_complete, write_branches
from src.data.levels import to_levels, to_network
from src.data.stream import Key
from src.jobs.build_codeformer_plus_plus import needs_landmarks, pair_maker
from src.jobs.build_stage import degradation_plan
from src.jobs.evaluate_run import cache_folder
from src.jobs.ranks import training_device
from src.jobs.training_data import sampling_of_faces
from src.jobs.upstream import Upstreams
from src.settings.commands import TrainConfig
from src.stages.registration_pair import RegistrationPair

FACES_A_BATCH = 16


def branch_store(config: TrainConfig, source: FaceSource, upstreams: Upstreams) -> BranchStore | None:
    """The kept branches of the training faces, made now if they are missing; None where a stage makes its own.

    Raises:
        UserError: they cannot be written or are damaged.
    """
    if config.stage not in ("registration", "texture_fusion") or config.branches.draws != "frozen":
        return None
    folder = branches_folder(cache_folder(config), _digest(config, source, upstreams))
    if not is_complete(folder):
        write_branches(folder, (len(source), source.size), _made(config, source, upstreams))
    return BranchStore(folder)


def _digest(config: TrainConfig, source: FaceSource, upstreams: Upstreams) -> str:
    """Stands for all that the branches depend on: faces, flips and degradations, networks, fidelities, landmarks."""
    settings = {
        "branches": branch_settings(config),
        "size": source.size,
        "seed": config.seed,
        "flip_probability": sampling_of_faces(config).flip_probability,
        "on_damaged": config.data.on_damaged,
    }
    landmarks = upstreams.landmark_source() if needs_landmarks(config) else "none"
    return identity(settings, upstreams.branch_networks() | {"landmarks": landmarks})


@torch.inference_mode()
def _made(config: TrainConfig, source: FaceSource, upstreams: Upstreams) -> Iterator[list[StoredBranches]]:
    faces = FrozenDegradations(source, degradation_plan(config), sampling_of_faces(config))
    device = training_device(config.trainer)
    pairs = pair_maker(config, upstreams).to(device)
    starts = range(0, len(source), FACES_A_BATCH)
    for start in tqdm(starts, desc="branches of the training faces", unit="batch", leave=False, disable=None):
        chosen = range(start, min(start + FACES_A_BATCH, len(source)))
        lq = torch.stack([faces[Key(0, 0, index)]["lq"] for index in chosen]).permute(0, 3, 1, 2)
        yield _stored(pairs({"lq": to_network(lq.to(device)), "index": torch.tensor(list(chosen))}))


def _stored(pair: RegistrationPair) -> list[StoredBranches]:
    kept, generative = (
        to_levels(faces).permute(0, 2, 3, 1).cpu().numpy() for faces in (pair.identity, pair.generative)
    )
    if pair.landmarks is None:
        return [StoredBranches(*both, None) for both in zip(kept, generative, strict=True)]
    points = torch.stack([pair.landmarks.fixed, pair.landmarks.moving], 1).cpu().numpy()
    return [StoredBranches(*each) for each in zip(kept, generative, points, strict=True)]
