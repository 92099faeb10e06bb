"""The training stream of a run: faces, degradations, and cached target codes where they pay."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Int16
from tqdm import tqdm

from src.checkpoints.network_file import load_network
from src.data import FaceSource
from src.data.branch_faces import BranchFaces
from src.data.branch_store import BranchStore
from src.data.code_targets import LARGEST_CODEBOOK, CodeTargets, targets_path, write_code_targets
from src.data.damage import damage_policy
from src.data.datamodule import FaceDataModule
from src.data.device_degradation import DeviceDegradation
from src.data.levels import to_network
from src.data.training_set import CleanFaces, DegradedFaces, Sampling
from src.jobs.build_codeformer_plus_plus import mask_source
from src.jobs.build_stage import degradation_plan
from src.jobs.evaluate_run import cache_folder
from src.jobs.ranks import training_device
from src.jobs.training_recipes import training_chains
from src.jobs.upstream import Upstreams
from src.networks import VqAutoencoder
from src.settings.commands import TrainConfig

STAGES_WITH_CODES = ("code_predictor", "cft")
FACES_A_BATCH = 16


def training_data(
    config: TrainConfig, source: FaceSource, codes: CodeTargets | None, branches: BranchStore | None = None
) -> FaceDataModule:
    """The stream of the configured stage over the faces of its training split."""
    training, trainer = getattr(config, config.stage).training, config.trainer
    plan, sampling = degradation_plan(config), sampling_of_faces(config)
    on_device = trainer.degradation == "device" and branches is None
    faces = CleanFaces(source, sampling, codes) if on_device else DegradedFaces(source, plan, sampling, codes)
    return FaceDataModule(
        faces if branches is None else BranchFaces(source, sampling, branches),
        batch_size=training.batch_size,
        iterations=training.iterations,
        seed=config.seed,
        workers=trainer.workers,
        channels_last=trainer.channels_last,
        device_degradation=DeviceDegradation(plan, config.seed) if on_device else None,
    )


def sampling_of_faces(config: TrainConfig) -> Sampling:
    """How the training faces of the stage become samples."""
    damage = damage_policy(config.data.on_damaged)
    return Sampling(config.seed, _flip_probability(config), damage, tuple(_exact(config)))


def _exact(config: TrainConfig) -> Iterator[str]:
    """What the stage needs to know exactly, which only rendered faces tell."""
    if config.stage == "landmark_detector":
        yield "landmarks"
    learns = config.stage == "texture_fusion" and config.texture_fusion.metric_learning.weight > 0
    if learns and mask_source(config) == "exact":
        yield "parts"


def _flip_probability(config: TrainConfig) -> float:
    own = config.diffusion_prior.flip_probability if config.stage == "diffusion_prior" else None
    return config.data.flip_probability if own is None else own


def code_targets(config: TrainConfig, source: FaceSource, upstreams: Upstreams) -> CodeTargets | None:
    """The cached codes of the training faces, made now if they are missing; None where a stage computes its own.

    They come from the float32 network whatever the training's precision.

    Raises:
        UserError: the cache cannot be written or is damaged.
    """
    if not _wants_codes(config, len(source)):
        return None
    run = upstreams.of("vqgan")
    path = targets_path(
        cache_folder(config),
        vqgan=run.status.weights["vqgan"],
        faces=upstreams.ingredients(config.stage)["data"],
        split="train",
        size=source.size,
    )
    if not path.is_file():
        network = load_network(run.weights_file("vqgan")).network
        assert isinstance(network, VqAutoencoder)
        network = network.eval().to(training_device(config.trainer))
        sizes = config.scale.autoencoder
        length = (sizes.image_size // 2 ** (len(sizes.multipliers) - 1)) ** 2
        write_code_targets(path, (len(source), length), _codes(network, source))
    return CodeTargets(path)


def _wants_codes(config: TrainConfig, faces: int) -> bool:
    choice, training = config.trainer.code_targets, getattr(config, config.stage).training
    if config.stage not in STAGES_WITH_CODES or choice == "on_the_fly":
        return False
    # Skipped images have no codes, a target that a recipe changes has others, and codes are kept as int16.
    if config.data.on_damaged == "skip" or config.scale.autoencoder.codebook_size > LARGEST_CODEBOOK:
        return False
    if any(recipe.changes_target for recipe in training_chains(config)):
        return False
    return choice == "cached" or training.iterations * training.batch_size > 2 * faces


@torch.inference_mode()
def _codes(network: VqAutoencoder, source: FaceSource) -> Iterator[Int16[np.ndarray, "b 2 l"]]:
    device = next(network.parameters()).device
    starts = range(0, len(source), FACES_A_BATCH)
    for start in tqdm(starts, desc="target codes", unit="batch", leave=False, disable=None):
        chosen = range(start, min(start + FACES_A_BATCH, len(source)))
        faces = torch.from_numpy(np.stack([source.image(index) for index in chosen])).to(device)
        images = to_network(faces.permute(0, 3, 1, 2))
        both = [network.codes(images.flip(-1) if flipped else images).flatten(1) for flipped in (False, True)]
        yield torch.stack(both, 1).to("cpu", torch.int16).numpy()
