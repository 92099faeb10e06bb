"""Makes the branches of all training faces once, where their degradation is frozen."""

import hashlib
import json
from collections.abc import Iterator

import torch
from tqdm import tqdm

from src.config.identity import branch_settings
from src.data import FaceSource
from src.data.branch_faces import FrozenDegradations
from src.data.branch_store import BranchStore, StoredBranches, branches_folder, is_complete, write_branches
from src.data.levels import to_levels, to_network
from src.data.stream import Key
from src.jobs.build_codeformer_plus_plus import branch_device, branch_maker, needed_finder
from src.jobs.build_stage import degradation_plan
from src.jobs.evaluate_run import cache_folder
from src.jobs.training_data import sampling_of_faces
from src.jobs.upstream import Upstreams
from src.settings.commands import TrainConfig
from src.stages.registration_pair import PairMaker, RegistrationPair

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
    finder = needed_finder(config, upstreams)
    content = {
        "branches": branch_settings(config),
        "networks": upstreams.branch_networks(),
        "landmarks": "none" if finder is None else upstreams.landmark_source(),
        "size": source.size,
        "seed": config.seed,
        "flip_probability": sampling_of_faces(config).flip_probability,
        "on_damaged": config.data.on_damaged,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@torch.inference_mode()
def _made(config: TrainConfig, source: FaceSource, upstreams: Upstreams) -> Iterator[list[StoredBranches]]:
    faces = FrozenDegradations(source, degradation_plan(config), sampling_of_faces(config))
    device = branch_device(config)
    pairs = PairMaker(branch_maker(config, upstreams), needed_finder(config, upstreams)).to(device)
    starts = range(0, len(source), FACES_A_BATCH)
    for start in tqdm(starts, desc="branches of the training faces", unit="batch", leave=False, disable=None):
        chosen = range(start, min(start + FACES_A_BATCH, len(source)))
        lq = torch.stack([faces[Key(0, 0, index)]["lq"] for index in chosen]).permute(0, 3, 1, 2)
        yield _stored(pairs({"lq": to_network(lq.to(device)), "index": torch.tensor(list(chosen))}))


def _stored(pair: RegistrationPair) -> list[StoredBranches]:
    identity, generative = (
        to_levels(faces).permute(0, 2, 3, 1).cpu().numpy() for faces in (pair.identity, pair.generative)
    )
    if pair.landmarks is None:
        return [StoredBranches(*both, None) for both in zip(identity, generative, strict=True)]
    points = torch.stack([pair.landmarks.fixed, pair.landmarks.moving], 1).cpu().numpy()
    return [StoredBranches(*each) for each in zip(identity, generative, points, strict=True)]
