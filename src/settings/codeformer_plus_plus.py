"""Settings of CodeFormer++: two branches, their registration, texture fusion and metric learning (codeformer_plus_plus.md).

The paper forces the parts; nearly every number is this suite's choice (sheet, tag [inferred]).
"""

from dataclasses import dataclass

from src.settings.degradation import DegradationRecipe
from src.settings.difface import SamplingSettings
from src.settings.stages import ImageLossSettings, TrainingSettings

DRAWS = ("frozen", "fresh")
LANDMARK_METHODS = ("affine_landmarks", "thin_plate_landmarks", "moving_least_squares")
"""Closed forms: no weights, but landmarks of both faces."""
UNTRAINED_METHODS = ("none", *LANDMARK_METHODS)
LEARNED_METHODS = ("affine", "thin_plate", "dense", "velocity", "probabilistic_velocity", "pyramid", "recurrent")
METHODS = (*UNTRAINED_METHODS, *LEARNED_METHODS)
"""Rows R0 to R4b, R6, R7 and R9 of the sheet's section 4; R5, R5b and R8 align features, see `ALIGNMENTS`."""
SIZE_OF_METHOD = {
    "affine": "affine_registration",
    "thin_plate": "affine_registration",
    "dense": "dense_registration",
    "velocity": "dense_registration",
    "probabilistic_velocity": "dense_registration",
    "pyramid": "pyramid_registration",
    "recurrent": "recurrent_registration",
}
"""Sizes of `ScaleSettings` that a learned method is built from."""
FIELDS_OF_METHOD: dict[str, tuple[str, ...]] = {
    "none": (),
    "affine_landmarks": (),
    "thin_plate_landmarks": ("ridge",),
    "moving_least_squares": ("falloff",),
    "affine": ("channels",),
    "thin_plate": ("channels", "control_points"),
    "dense": ("channels", "half_resolution"),
    "velocity": ("channels", "squarings"),
    "probabilistic_velocity": ("channels", "squarings"),
    "pyramid": ("channels",),
    "recurrent": ("channels", "updates"),
}
"""Fields of `RegistrationMethod` that a method takes beside `kind`."""
CHANNELS = ("rgb", "luma")
SIMILARITIES = ("ncc", "mse", "charbonnier", "census", "feature_cosine")
REGULARISERS = ("diffusion", "total_variation", "bending_energy", "edge_aware")
ALIGNMENTS = ("none", "deformable_convolution", "flow_guided_deformable", "local_attention")
"""Rows R5, R5b and R8: registration of the texture features, inside the fusion network."""
INJECTIONS = ("concat", "attention", "attention_fusion", "sft", "spade", "cross_attention")
POSITIVES = ("paste", "frequency", "laplacian")
NEGATIVES = ("identity_branch", "generative_branch", "mirrored", "blurred")
CONTRASTS = ("triplet", "info_nce")
FEATURES = ("auto", "vgg19", "st_lpips", "identity", "pixels")
MASKS = ("auto", "exact", "landmarks", "parsing")


@dataclass(kw_only=True)
class BranchSettings:
    """The identity-preserving face I_F and the generative face I_G, made of one degraded face (sheet, sections 1 and 2)."""

    identity_fidelity: float
    """Fidelity w of I_F."""
    generative_fidelity: float
    """Fidelity w of I_G, where CodeFormer makes it."""
    adain: bool
    """Match the statistics of the codes, in both."""
    generative: str
    """`codeformer`, or another restorer that makes I_G: its name in `restorer=` of src.evaluate."""
    checkpoint: str | None
    """Weights of that other restorer: a run folder, a file, `published` or `bundled`."""
    sampling: SamplingSettings
    """Of that other restorer, where it is DifFace."""
    draws: str
    """`frozen`: each training face has one degradation for good, and its branches are kept on disk; `fresh`: another one each
    time, the branches computed as they are needed."""
    degradation: DegradationRecipe


@dataclass(kw_only=True)
class RegistrationMethod:
    """How I_G is brought onto I_F (sheet, section 4); all that the result depends on beside weights and sizes."""

    kind: str
    """A name of `METHODS`."""
    channels: str
    """What a learned method sees: `rgb`, or `luma` alone, which keeps colour shifts out of the matching."""
    half_resolution: bool
    """Predict the field of `dense` at half the side (`velocity` always does)."""
    control_points: int
    """Control points a side of the learned thin-plate spline."""
    ridge: float
    """Added to the diagonal of the kernel block of a spline through landmarks, in units of the face's side, 0 to 0.01;
    0 interpolates the landmarks."""
    squarings: int
    """Scaling-and-squaring steps T of the velocity methods."""
    updates: int
    """Updates of `recurrent`."""
    falloff: float
    """Exponent alpha of the weights 1 / distance^(2 alpha) of moving least squares."""


@dataclass(kw_only=True)
class RegistrationObjective:
    """What a learned registration minimises: -similarity + weight * regulariser (sheet, sections 3.2 and 4)."""

    similarity: str
    """A name of `SIMILARITIES`, on luma."""
    window: int
    """Side of the window of `ncc` and `census`, pixels, odd."""
    signed: bool
    """`ncc` keeps its sign; squared, it cannot tell an inverted contrast from a match."""
    blur: list[float]
    """Deviation of the Gaussian blur of both faces before they are compared, pixels, at the first and the last iteration."""
    regulariser: str
    """A name of `REGULARISERS`."""
    regulariser_weight: float
    """The sheet's lambda."""
    edge_sharpness: float
    """k in exp(-k |grad I_F|) of `edge_aware`; I_F in [0, 1]."""
    folding: float
    """Weight of mean relu(-det J)."""
    landmarks: float
    """Weight of the mean distance that the field leaves between landmarks, pixels."""
    inverse: float
    """Weight of the similarity under the inverse field, of the velocity methods."""
    decay: float
    """Weight of an update over that of the next one, of `recurrent`."""
    noise: float
    """sigma_I of `probabilistic_velocity`'s data term sum of squares / (2 sigma_I^2), faces in [0, 1]."""
    precision: float
    """lambda_p of `probabilistic_velocity`'s prior."""


@dataclass(kw_only=True)
class RegistrationSettings:
    """Stage: brings the generative face onto the identity-preserving one."""

    training: TrainingSettings
    method: RegistrationMethod
    objective: RegistrationObjective


@dataclass(kw_only=True)
class MetricLearningSettings:
    """Deep metric learning of the fused face (sheet, section 6)."""

    weight: float
    """Weight of the term; 0 leaves it out."""
    contrast: str
    """`triplet` (hardest negative of each face), or `info_nce` (all negatives)."""
    margin: float
    """Of the triplet loss, in cosines."""
    temperature: float
    """Of InfoNCE."""
    positive: str
    """`paste`, `frequency` or `laplacian`: how the components of I_F and the texture of the warped face are joined."""
    negatives: list[str]
    """Names of `NEGATIVES`."""
    features: str
    """Where faces are compared: `vgg19`, `st_lpips`, `identity` (one embedding a face), `pixels`, or `auto`: the first of the
    first two whose weights are here."""
    mask: str
    """Where the components are: `exact` (of rendered faces), `landmarks` (ellipses), `parsing`, or `auto`: exact for rendered
    faces, else parsing where its weights are here, else landmarks."""
    dilation: float
    """By how much the mask is widened, pixels of a face of 512."""
    feather: float
    """Deviation of the mask's soft edge, pixels of a face of 512."""
    cutoff: float
    """Deviation of the Gaussian that parts low from high frequencies, pixels of a face of 512."""
    blur: float
    """Deviation of the blur of the negative `blurred`, pixels of a face of 512."""


@dataclass(kw_only=True)
class TextureFusionSettings:
    """Stage: takes texture from the registered generative face into the identity-preserving one (sheet, sections 5 to 7)."""

    training: TrainingSettings
    injection: str
    """A name of `INJECTIONS`; `attention_fusion` is the method's, the others are ablations."""
    alignment: str
    """A name of `ALIGNMENTS`: registration of the texture features, after that of the face."""
    losses: ImageLossSettings
    identity: float
    """Weight of 1 - cosine of the recogniser's embeddings of the fused and the clean face."""
    alignment_penalty: float
    """Weight of the mean absolute offset of the deformable alignments, pixels of their feature map."""
    offset_rate: float
    """Learning rate of offsets over that of everything else."""
    registration_rate: float
    """Learning rate of the registration, trained on with this stage, over that of everything else; 0 keeps it frozen."""
    metric_learning: MetricLearningSettings
