"""What the evaluation of a training measures: baselines, and the trained method at each of its settings."""

from collections.abc import Iterator

from src.checkpoints.network_file import load_network
from src.config.identity import arm_label, branch_settings, identity
from src.jobs.clr_face_subjects import STAGES_OF_CLR_FACE, clr_face_subjects
from src.jobs.difface_settings import sampling_settings
from src.jobs.evaluated import INPUT, setting_name
from src.jobs.record_folders import record_stem, records_folder, suffix
from src.jobs.registration_report import judges_of, of_system, report_of, write_sheet
from src.jobs.subject import Subject, Trained
from src.jobs.upstream import needs_prior
from src.networks import CodeFormer, VqAutoencoder
from src.restorers.build_codeformer_plus_plus import load_plus_plus
from src.restorers.build_difface import build_backbone_restorer, build_difface
from src.restorers.codeformer import CodeFormerRestorer
from src.restorers.codeformer_plus_plus import CodeFormerPlusPlusRestorer, branch_restorers
from src.restorers.identity import IdentityRestorer
from src.restorers.locate import companions
from src.restorers.vqgan import VqganRestorer

AUTOENCODER = "autoencoder"


def subjects(trained: Trained) -> Iterator[Subject]:
    """The degraded input, then the baselines and the settings of the system that the stage belongs to."""
    config, benchmark = trained.config, trained.benchmark
    yield Subject(INPUT, f"{INPUT}-{suffix(config)}", IdentityRestorer(), benchmark.lq, INPUT, True, {})
    if config.stage == "restoration_backbone":
        yield from _difface(trained)
    elif config.stage == "texture_fusion":
        yield from _codeformer_plus_plus(trained)
    elif config.stage in STAGES_OF_CLR_FACE:
        yield from clr_face_subjects(trained)
    else:
        yield from _codeformer(trained)


def _codeformer(trained: Trained) -> Iterator[Subject]:
    """The autoencoder on clean faces (where there are any), and the run itself."""
    config, benchmark = trained.config, trained.benchmark
    is_vqgan = config.stage == "vqgan"
    vqgan = trained.run if is_vqgan else trained.upstreams.of("vqgan")
    autoencoder = load_network(vqgan.weights_file("vqgan")).network.to(trained.device)
    assert isinstance(autoencoder, VqAutoencoder)
    weights = {"vqgan": vqgan.status.weights["vqgan"]}
    stem = record_stem(config) if is_vqgan else f"{AUTOENCODER}-{suffix(config)}"
    if is_vqgan or benchmark.hq is not None:
        clean = benchmark.clean_faces()
        yield Subject(AUTOENCODER, stem, VqganRestorer(autoencoder), clean, "reconstruction", not is_vqgan, weights)
    if not is_vqgan:
        yield from _fidelities(trained)


def _fidelities(trained: Trained) -> Iterator[Subject]:
    config = trained.config
    network = load_network(trained.run.weights_file("codeformer")).network.to(trained.device)
    assert isinstance(network, CodeFormer)
    adain = config.cft.adain if config.stage == "cft" else False
    weights = dict(trained.provenance.weights)
    # Without fusion blocks every fidelity gives the same picture.
    for fidelity in config.evaluation.fidelities if network.fused_sizes else [0.0]:
        restorer = CodeFormerRestorer(network, fidelity=fidelity, adain=adain)
        folder = f"{record_stem(config)}/w{fidelity:.2f}"
        yield Subject(arm_label(config), folder, restorer, trained.benchmark.lq, f"w={fidelity:g}", False, weights)


def _difface(trained: Trained) -> Iterator[Subject]:
    """The backbone alone, then under the prior at every setting that the configuration names."""
    config, lq = trained.config, trained.benchmark.lq
    arm, stem, weights = arm_label(config), record_stem(config), dict(trained.provenance.weights)
    backbone = trained.run.weights_file("restoration_backbone")
    alone = build_backbone_restorer(backbone, trained.device)
    yield Subject(arm, f"{stem}/backbone", alone, lq, "backbone", False, weights)
    if not needs_prior(config):
        return
    prior = trained.upstreams.of("diffusion_prior")
    files = {"diffusion_prior": prior.weights_file("diffusion_prior"), "restoration_backbone": backbone}
    weights = weights | {"diffusion_prior": prior.status.weights["diffusion_prior"]}
    for sampling in sampling_settings(config):
        restorer = build_difface("difface", files, sampling, trained.device)
        name = setting_name(restorer.knobs)
        yield Subject(arm, f"{stem}/{name}", restorer, lq, name, False, weights)


def _codeformer_plus_plus(trained: Trained) -> Iterator[Subject]:
    """Both branches and their mean as baselines, and the whole system with what its registration did."""
    config, benchmark, device = trained.config, trained.benchmark, trained.device
    networks = load_plus_plus(companions(trained.run.weights_file("texture_fusion")), device)
    made_by = {
        name: sha
        for name, sha in trained.run.status.weights.items()
        if name == "codeformer" or name.startswith("generative_")
    }
    branches = identity(branch_settings(config), made_by)
    for baseline in branch_restorers(networks.branches):
        name, folder = baseline.name, f"{baseline.name}-{suffix(config)}-{branches}"
        yield Subject(name, folder, baseline, benchmark.lq, name, True, made_by)
    evaluation, weights = config.evaluation, dict(trained.provenance.weights)
    report = report_of(
        of_system(networks),
        benchmark,
        judges_of(config, trained.upstreams, device),
        device,
        batch_size=evaluation.batch_size,
        shown=evaluation.shown_faces,
    )
    write_sheet(records_folder(config).parent / "images" / f"{record_stem(config)}-registration.png", report)
    restorer = CodeFormerPlusPlusRestorer(networks)
    arm, folder = arm_label(config), f"{record_stem(config)}/fused"
    yield Subject(arm, folder, restorer, benchmark.lq, "fused", False, weights, report.diagnostics)
