"""The root configuration of `python -m src.restore`."""

from dataclasses import dataclass

from src.settings.clr_face import GuidanceSettings
from src.settings.difface import SamplingSettings

DETECTORS = ("retinaface_resnet50", "retinaface_mobilenet", "mtcnn")
PARSERS = ("auto", "parsenet", "none")
BACKGROUNDS = ("lanczos", "bilinear", "realesrgan")
COLOURS = ("auto", "match", "keep")
SAMPLINGS = ("cubic", "bilinear")
PRECISIONS = ("auto", "exact", "fp32", "bf16")


@dataclass(kw_only=True)
class DetectionSettings:
    """How faces are looked for (codeformer.md 4). Lengths are pixels."""

    short_side: int
    """Detection sees a copy of the photo whose short side has this length."""
    long_side: int
    """The copy's long side is never longer than this, so that a panorama fits the memory."""
    confidence: float
    """Least score of a face, in [0, 1]."""
    overlap: float
    """Of two boxes whose intersection over union exceeds this, the weaker one is dropped."""
    least_eye_distance: float
    """Faces with closer eyes, measured in the photo, are left as they are."""


@dataclass(kw_only=True)
class PasteSettings:
    """How a restored face returns into its photo."""

    face_size: int
    """Side of the aligned crop for restorers that take any size, pixels; a network brings its own."""
    sampling: str
    """How a crop is read from the photo: `cubic`, or `bilinear` as in the published script."""
    feather: float
    """Width of the soft edge as a part of the crop's side (codeformer.md 4: a twentieth)."""


@dataclass(kw_only=True)
class TileSettings:
    """Pieces in which a background network sees a photo, pixels (codeformer.md 4)."""

    size: int
    padding: int
    """Context around a tile that is computed and cut off."""


@dataclass(kw_only=True)
class VideoSettings:
    """How a restored video is written."""

    quality: int
    """Constant rate factor of H.264, 0 (lossless) to 51; lower is better and larger."""
    save_faces: bool
    """Write the crops and restored faces of every frame too."""


@dataclass(kw_only=True)
class RestoreConfig:
    """Root of `python -m src.restore`."""

    input: str
    """Image, video, folder of them (sub-folders included), or a pattern such as 'photos/*.jpg'."""
    output: str
    """Folder that receives results/, crops/, faces/, comparisons/, reports/ and restore.json."""
    restorer: str
    """`codeformer`, `vqgan`, `codeformer_colorization`, `codeformer_inpainting`, `difface`, `difface_inpainting`,
    `difface_backbone`, `codeformer_plus_plus`, `clr_face`, `clr_face_encoder`, `identity_recovery`, `bicubic` or
    `identity`."""
    checkpoint: str
    """Run folder, weights file, `bundled` (comes with the repository) or `published` (the authors' file, fetched once)."""
    fidelity: float | None
    """Fidelity w in [0, 1]: 0 trusts the codebook, 1 the input; null takes the published scripts' 0.5, for colorization 0,
    for inpainting 1."""
    adain: bool | None
    """Match the looked-up codes to the encoder output; null takes what the checkpoint was trained with."""
    sampling: SamplingSettings
    """Of `difface` and `difface_inpainting`, whose `checkpoint` is the diffusion prior, and of `clr_face`."""
    guidance: GuidanceSettings
    """Of `clr_face`."""
    seed: int
    """Seed of the noise of restorers that sample; all faces get the same noise, so that videos do not flicker by it."""
    aligned: bool
    """The inputs are aligned square faces: nothing is detected or pasted."""
    only_center: bool
    """Restore only the face nearest to the middle of a photo."""
    upscale: float
    """Side of the result over the side of the photo."""
    least_side: int
    """Photos with a shorter side are first enlarged to it, bilinearly (codeformer.md 4: 512); 0 keeps every size. Pixels."""
    greatest_megapixels: float
    """Larger photos are refused, before they are decoded. Millions of pixels."""
    detector: str
    """`retinaface_resnet50`, `retinaface_mobilenet` or `mtcnn` (its weights come with a package)."""
    detector_weights: str | None
    """File of RetinaFace's weights; null takes the catalogue's."""
    detection: DetectionSettings
    parsing: str
    """`parsenet` blends by the parts of the face, `none` by a soft square, `auto` by parts where ParseNet's weights are."""
    parsing_weights: str | None
    """File of ParseNet's weights; null takes the catalogue's."""
    paste: PasteSettings
    colour: str
    """`match` gives a restored face the colours of its crop, `keep` does not, `auto` makes faces of grey photos grey."""
    background: str
    """How the photo around the faces is enlarged: `lanczos`, `bilinear` (the published script) or `realesrgan`."""
    background_weights: str | None
    """File of another enlarging network for `realesrgan`; null takes the catalogue's."""
    tile: TileSettings
    video: VideoSettings
    weights_dir: str | None
    """Folder searched first for published weights, and where missing ones are kept; null takes $BFR_WEIGHTS_DIR or the
    user's cache."""
    batch_size: int | None
    """Faces a pass; photos share a pass. Null takes 8 on a GPU and 1 on the CPU, where more cost memory and gain no time."""
    workers: int
    """Threads that decode and encode beside the network."""
    device: str
    """`cpu`, `cuda` or `auto`."""
    precision: str
    """`exact` (fp32 as trained), `fp32` (channels last, equal up to rounding), `bf16`, or `auto`: bf16 on a GPU that has
    it, else fp32."""
    overwrite: bool
    """Replace files that are already in `output`."""
    progress: bool
