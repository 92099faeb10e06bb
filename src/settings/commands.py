"""The root configurations of the commands."""

from dataclasses import dataclass
from typing import Any

from src.settings.clr_face import (
    ClrFaceGrid,
    GuidanceSettings,
    GuideRecogniserSettings,
    GuideSettings,
    IdentityRecoverySettings,
    LatentEncoderSettings,
    LatentMaskSettings,
    LatentScoreSettings,
    LatentVqganSettings,
)
from src.settings.cluster import ClusterSettings
from src.settings.codeformer_plus_plus import BranchSettings, RegistrationSettings, TextureFusionSettings
from src.settings.data import BenchmarkSettings, DataSettings
from src.settings.degradation import DegradationRecipe
from src.settings.difface import DiffusionPriorSettings, RestorationBackboneSettings, SamplingGrid, SamplingSettings
from src.settings.landmark_detector import LandmarkDetectorSettings
from src.settings.scale import ScaleSettings
from src.settings.stages import CftSettings, CodePredictorSettings, RecogniserSettings, VqganSettings


@dataclass(kw_only=True)
class UpstreamSettings:
    """Where a stage finds the networks it builds on: `auto` (run store, then bundled, then trained first), `bundled`,
    `train` (run store, then trained first), or the path of a run folder."""

    vqgan: str
    code_predictor: str
    recogniser: str
    diffusion_prior: str
    cft: str
    landmark_detector: str
    registration: str
    latent_vqgan: str
    latent_encoder: str
    latent_score: str
    identity_recovery: str
    guide_recogniser: str


@dataclass(kw_only=True)
class SeveritySettings:
    """By what, and into which bins, the faces of a benchmark are divided."""

    by: str
    """`factor` (times the recipe shrank the face), `input_error` (root mean squared error of the degraded face, levels), or
    `auto`: the factor where it fills two bins or more, else the error."""
    edges: list[float] | None
    """Rising bounds of the bins; null takes 1, 2, 4, 8, 16, 32, 64 for the factor, three equally full bins for the error."""


@dataclass(kw_only=True)
class EvaluationSettings:
    """What is measured after training."""

    fidelities: list[float]
    """Fidelity weights w in [0, 1] at which every arm of CodeFormer is evaluated."""
    difface: dict[str, SamplingGrid]
    """Name to sampling settings at which every arm of DifFace is evaluated, beside its backbone alone; without any, the
    backbone alone is."""
    clr_face: dict[str, ClrFaceGrid]
    """Name to sampling settings at which CLR-Face is evaluated, beside its encoder alone."""
    guidance: GuidanceSettings
    """What the grids of CLR-Face leave open: constraint, window, every and limit."""
    batch_size: int
    """Faces a restoration batch."""
    shown_faces: int
    """Faces of the picture grid and of the image table."""
    severity: SeveritySettings


@dataclass(kw_only=True)
class MetricsSettings:
    """Which definitions are measured, and which one decides."""

    measure: list[str]
    """Names or patterns (`id_*`) of the definitions that are asked for."""
    leave_out: list[str]
    """Names or patterns of definitions that are not, though `measure` fits them."""
    stand_ins: str
    """When a stand-in is measured: `where_missing` (one of those it stands for cannot be, or none of them is asked for),
    `always` or `never`."""
    strict: bool
    """Stop before any work where a metric that is asked for cannot be measured; else the record says so."""
    fetch: bool
    """Fetch missing weights from their published addresses, verified, after stating their licence."""
    primary: str | None
    """What decides a comparison, named before the run: a role (perceptual, distribution, identity, psnr, ssim, ...) or the
    id of a metric; null: perceptual, said to be the default."""
    weights_dir: str | None
    """Folder searched first for extractor weights (sub-folders as listed by the weights catalogue)."""
    bootstrap_resamples: int
    """Resamples of the bootstrap intervals."""
    definitions: dict[str, dict[str, Any]]
    """Name to its `kind` (src/metrics/kinds.py) with options; `stand_in_for` lists the metrics that one stands for,
    `rendered_only` keeps one to rendered faces, `asked_with` names the option without which one is not asked for."""
    reference: str | None
    """Folder of faces, any number: reference set of the metrics `*/reference`, also where no originals exist; null leaves
    them out."""
    ffhq: str | None
    """Folder of all 70,000 faces of FFHQ: reference set of fid/ffhq70k_torch_fidelity; null leaves it out."""


@dataclass(kw_only=True)
class TrainerSettings:
    """Hardware; nothing here may change a result, except by precision and by ties of rounding."""

    accelerator: str
    """`cpu`, `gpu` or `auto`."""
    devices: int
    num_nodes: int
    strategy: str
    """`auto` or `ddp`; the networks fit one device, so that sharded strategies are refused."""
    precision: str
    """`32-true` or `bf16-mixed`."""
    channels_last: bool
    """Keep image tensors in channels-last memory order."""
    recomputed_resolutions: int
    """Of how many of the largest resolutions the activations are made again in the backward pass instead of kept: less memory
    for more time, the same bits (performance.md, target 15); for autoencoders and CFT."""
    workers: int
    """Loader processes a device."""
    degradation: str
    """Where faces are degraded: `loader` (in the loader processes) or `device` (whole batches on the device; the same
    draws and noise, values differ where rounding ties). WebP, Poisson noise and brush masks need the loader."""
    code_targets: str
    """Target codes of stages II and III: `cached` (computed once for every face and its mirror image, kept in the run
    store by the VQGAN's hash), `on_the_fly`, or `auto` (cached where the training sees each face more than twice)."""
    threads: int
    """Threads of CPU arithmetic; 0 leaves the library's choice."""
    log_every: int
    """Iterations between logged scalars."""
    images_every: int
    """Iterations between logged face grids; 0 logs them at the end only."""
    progress: bool
    """Show progress bars."""


@dataclass(kw_only=True)
class LoggerSettings:
    """Weights & Biases."""

    kind: str
    """`wandb` or `none`."""
    project: str
    entity: str | None
    mode: str
    """`auto` (online when an account is configured, else offline), `online`, `offline`."""
    tags: list[str]
    """Beside the tags that every run has: stage, scale, kind of data, restorer."""
    checkpoint: bool
    """Upload the final weights. False logs the artifact as well, but as references with hashes: an upload multiplies
    storage by the runs of a sweep, and weights can be told by their hash wherever they lie."""


@dataclass(kw_only=True)
class TrainConfig:
    """Root of `python -m src.train`."""

    stage: str
    """Stage to train: vqgan, code_predictor, cft, recogniser, diffusion_prior, restoration_backbone, landmark_detector,
    registration, texture_fusion, latent_vqgan, latent_encoder, latent_score, identity_recovery, latent_mask or
    guide_recogniser; missing upstream stages are trained first."""
    study: str
    """Name of the comparison: W&B group, and folder of its leaderboard."""
    label: str
    """Name of this arm in the comparison."""
    question: str
    """What the study asks, printed above its leaderboard."""
    seed: int
    run_store: str
    """Folder of all runs, relative to the working directory."""
    resume: bool
    """Continue an unfinished run of the same identity, and reuse a finished one."""
    scale: ScaleSettings
    data: DataSettings
    vqgan: VqganSettings
    code_predictor: CodePredictorSettings
    cft: CftSettings
    recogniser: RecogniserSettings
    diffusion_prior: DiffusionPriorSettings
    restoration_backbone: RestorationBackboneSettings
    landmark_detector: LandmarkDetectorSettings
    branches: BranchSettings
    registration: RegistrationSettings
    texture_fusion: TextureFusionSettings
    latent_vqgan: LatentVqganSettings
    latent_encoder: LatentEncoderSettings
    latent_score: LatentScoreSettings
    identity_recovery: IdentityRecoverySettings
    latent_mask: LatentMaskSettings
    guide_recogniser: GuideRecogniserSettings
    guide: GuideSettings
    upstream: UpstreamSettings
    benchmark: BenchmarkSettings
    evaluation: EvaluationSettings
    metrics: MetricsSettings
    trainer: TrainerSettings
    cluster: ClusterSettings
    logger: LoggerSettings


@dataclass(kw_only=True)
class EvaluateConfig:
    """Root of `python -m src.evaluate`."""

    restorer: str
    """Method that restores, or `external`: faces that were restored elsewhere."""
    checkpoint: str
    """Weights of a learned restorer: a run folder, a file, `published` or `bundled`."""
    root: str | None
    """Folder of the restored faces of `external`; each file bears the name of a face of the benchmark."""
    fidelity: Any
    """Fidelity weight w in [0, 1], or a list of them; null takes that of the published script."""
    adain: bool | None
    """Match code statistics; null takes what the checkpoint was trained with, else what the published script does."""
    sampling: SamplingSettings
    """Of restorer=difface, difface_inpainting and clr_face; solver, start, steps and eta may be lists: every combination is
    evaluated."""
    guidance: GuidanceSettings
    """Of restorer=clr_face; scale, mask, target and gradient may be lists too."""
    label: str | None
    """Name of this arm in the leaderboard; null takes the restorer's."""
    study: str
    """Name of the comparison: evaluations of one study share a leaderboard."""
    question: str
    """What the study asks, printed above its leaderboard."""
    seed: int
    """Seed under which a method that draws is evaluated; another seed is another record."""
    run_store: str
    """Folder of all runs and studies, relative to the working directory."""
    size: int | None
    """Side of the faces, pixels; null takes what the restorer was built for, else that of the benchmark."""
    recogniser: str
    """Recogniser of rendered faces: a run folder, or `bundled`; used where it was built for faces of this size."""
    landmark_detector: str
    """Landmark detector of rendered faces: likewise."""
    batch_size: int
    """Faces a restoration batch."""
    shown_faces: int
    """Faces of the picture grid and of the image table."""
    save: str | None
    """Folder for all restored faces as PNG, in a sub-folder for each setting; null keeps those of the gallery."""
    severity: SeveritySettings
    device: str
    """`cpu`, `cuda` or `auto`."""
    precision: str
    """Of the restorer: `exact`, `fp32`, `bf16` or `auto` (src/restorers/precision.py)."""
    progress: bool
    """Show progress bars."""
    benchmark: BenchmarkSettings
    data: DataSettings
    metrics: MetricsSettings
    logger: LoggerSettings


@dataclass(kw_only=True)
class LeaderboardConfig:
    """Root of `python -m src.leaderboard`."""

    action: str
    """`build` (tables, page and figures), `sync` (send the W&B runs that were written offline) or `publish` (W&B report)."""
    records: str | None
    """Folder that is searched for result.json, also in sub-folders; building and publishing need it."""
    out: str | None
    """Folder for leaderboard.md, .csv, .tex, .html and the figures; null writes beside the records."""
    study: str | None
    """Take only records of this study; null takes all."""
    primary: str | None
    """Role (perceptual, distribution, identity, psnr, ...) or id of the metric that decides; null takes the one that the
    study named before its runs."""
    resamples: int
    """Bootstrap resamples, 100 at least."""
    seed: int
    """Seed of the bootstrap."""
    runs: str
    """Run store that `sync` searches for offline runs."""
    project: str | None
    """W&B project; null: that of conf/logger/wandb.yaml to publish, each run's own to sync."""
    entity: str | None
    """W&B user or team; null takes the account's default."""
    dry_run: bool
    """Only say what `sync` or `publish` would send."""


@dataclass(kw_only=True)
class DatasetConfig:
    """Root of `python -m src.dataset`."""

    action: str
    """`preview` (contact sheet HQ | LQ), `stats`, `validate`, `pack` or `benchmark`."""
    output: str | None
    """PNG of the preview, folder of the packed store or of the benchmark; null: preview.png, for the others to be given."""
    n: int | None
    """Faces of the preview (null: 8) and of the benchmark (null: the whole split)."""
    seed: int
    """Seed of the degradation draws."""
    size: int
    """Side of the faces, pixels."""
    split: str
    """Split of the preview and of the benchmark; packing takes all."""
    overwrite: bool
    """Replace `output` if it exists."""
    workers: int
    """Processes that decode while packing and validating."""
    data: DataSettings
    recipe: DegradationRecipe
    """What degrades the benchmark."""
    recipes: list[str]
    """Names of recipes in conf/degradation, a column of the preview each; of a pair, two."""
