"""What the evaluation of CLR-Face's stages measures (clr_face.md 2, 3, 5 to 7)."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from src.checkpoints.network_file import load_network
from src.config.identity import arm_label
from src.data import build_source
from src.data.benchmark import Benchmark
from src.data.levels import to_network
from src.data.rendered_truth import truth_of
from src.jobs.evaluated import setting_name
from src.jobs.mask_report import mask_report, write_mask_sheet
from src.jobs.record_folders import record_stem, records_folder, suffix
from src.jobs.restorations import channels_first
from src.jobs.subject import Subject, Trained
from src.networks.latent_autoencoder import LatentAutoencoder
from src.restorers.build_clr_face import build_clr_face, load_clr_face
from src.restorers.clr_face import ClrFaceRestorer
from src.restorers.clr_face_files import clr_face_files
from src.restorers.clr_face_networks import ClrFaceNetworks
from src.restorers.guide_target import Oracle
from src.restorers.latent_autoencoder import LatentAutoencoderRestorer
from src.restorers.latent_sampling import LatentSampling, grid_combinations
from src.restorers.published_guide import with_published_guide
from src.settings.commands import TrainConfig

STAGES_OF_CLR_FACE = ("latent_vqgan", "latent_encoder", "latent_score", "identity_recovery", "latent_mask")
"""Stages that `clr_face_subjects` knows."""
REPORTED_FACES = 64
"""Faces whose masks the report is about, at most."""


def clr_face_subjects(trained: Trained) -> Iterator[Subject]:
    """The reconstruction, the single-stage restoration, the recovered face, or the whole system at each of its settings."""
    config, benchmark = trained.config, trained.benchmark
    if config.stage == "latent_vqgan":
        network = load_network(trained.run.weights_file("latent_autoencoder")).network.to(trained.device)
        assert isinstance(network, LatentAutoencoder)
        restorer, weights = LatentAutoencoderRestorer(network), dict(trained.provenance.weights)
        clean = benchmark.clean_faces()
        yield Subject(arm_label(config), record_stem(config), restorer, clean, "reconstruction", False, weights)
    elif config.stage in ("latent_encoder", "identity_recovery"):
        kind = "clr_face_encoder" if config.stage == "latent_encoder" else config.stage
        yield _alone(trained, kind, is_baseline=False)
    else:
        yield _alone(trained, "clr_face_encoder", is_baseline=True)
        if config.stage == "latent_mask" and config.identity_recovery.output == "image":
            yield _alone(trained, "identity_recovery", is_baseline=True)
        yield from _systems(trained)


def _alone(trained: Trained, kind: str, *, is_baseline: bool) -> Subject:
    """A part of the system that restores by itself; as a baseline, once for all systems that have it."""
    config, weights = trained.config, trained.run.status.weights
    head = {"clr_face_encoder": "latent_encoder"}.get(kind, kind)
    files = clr_face_files(kind, trained.run.weights_file(head))
    restorer = build_clr_face(kind, files, None, trained.device)
    own = {name: weights[name] for name in files}
    if kind == "identity_recovery" and "guide" in trained.provenance.weights:
        own["guide"] = trained.provenance.weights["guide"]
    arm = kind if is_baseline else arm_label(config)
    folder = f"{kind}-{suffix(config)}-{weights[head][:10]}" if is_baseline else record_stem(config)
    return Subject(arm, folder, restorer, trained.benchmark.lq, kind, is_baseline, own)


def _systems(trained: Trained) -> Iterator[Subject]:
    """Every setting of the grids; without a mask those that are not guided."""
    config, benchmark = trained.config, trained.benchmark
    files = clr_face_files("clr_face", trained.run.weights_file(config.stage))
    networks = load_clr_face(with_published_guide(files, config.metrics.weights_dir), trained.device)
    arm, stem, weights = arm_label(config), record_stem(config), dict(trained.provenance.weights)
    about_mask = {} if networks.mask is None else _reported(trained, networks)
    oracle = None if benchmark.hq is None else _oracle(benchmark)
    for sampling in settings_of(config, has_truth=oracle is not None):
        restorer = ClrFaceRestorer(networks, sampling, oracle=oracle)
        name = setting_name(restorer.knobs)
        told = about_mask if _is_under_learned_mask(sampling) else {}
        yield Subject(arm, f"{stem}/{name}", restorer, benchmark.lq, name, False, weights, told)


def _is_under_learned_mask(sampling: LatentSampling) -> bool:
    return sampling.guidance.scale > 0 and sampling.guidance.mask in ("learned", "learned_hard")


def settings_of(config: TrainConfig, *, has_truth: bool) -> list[LatentSampling]:
    """Every combination of the grids, once: of stage latent_score the unguided ones, without truth none led by it."""
    grids = config.evaluation.clr_face.values()
    found = dict.fromkeys(
        sampling for grid in grids for sampling in grid_combinations(grid, config.evaluation.guidance)
    )
    guidable = config.stage == "latent_mask"
    return [
        sampling
        for sampling in found
        if sampling.guidance.scale == 0 or (guidable and (has_truth or sampling.guidance.target != "oracle"))
    ]


def _oracle(benchmark: Benchmark) -> Oracle:
    clean = benchmark.clean_faces()

    def faces(keys: Sequence[int]) -> Tensor:
        return to_network(channels_first(clean[np.asarray(keys)]))

    return faces


def _reported(trained: Trained, networks: ClrFaceNetworks) -> dict[str, float]:
    """What the mask selects on the benchmark's faces; writes its pictures beside those of the restored faces."""
    assert networks.mask is not None
    config, benchmark = trained.config, trained.benchmark
    shown = range(min(REPORTED_FACES, len(benchmark)))
    with torch.inference_mode():
        degraded = to_network(channels_first(benchmark.lq[shown.start : shown.stop]).to(trained.device))
        conditions = torch.cat([networks.encoder(part) for part in degraded.split(config.evaluation.batch_size)])
        faces = networks.autoencoder.decoded(conditions[: config.evaluation.shown_faces]).clamp(-1, 1)
    report = mask_report(networks.mask, conditions, _parts(config, benchmark, len(shown)), faces)
    write_mask_sheet(records_folder(config).parent / "images" / f"{record_stem(config)}-mask.png", report)
    return report.diagnostics


def _parts(config: TrainConfig, benchmark: Benchmark, faces: int) -> np.ndarray | None:
    """Exact part maps of rendered faces; None of others, and of a benchmark that was frozen elsewhere."""
    if config.data.kind != "synthetic_faces" or config.benchmark.root is not None:
        return None
    cache = records_folder(config).parents[2] / "cache"
    source = build_source(config.data, split=config.benchmark.split, size=benchmark.size, cache=cache)
    truth = truth_of(source)
    return np.stack([truth.parts(index) for index in range(faces)])
