"""Sizes of every network. One `conf/scale/*.yaml` file fills them; no size lives anywhere else."""

from dataclasses import dataclass


@dataclass(kw_only=True)
class VqAutoencoderSize:
    """Sizes of the VQ autoencoder (codeformer.md 1.1; the values of `paper512` are the published ones)."""

    image_size: int
    """Side of the square input, pixels."""
    width: int
    """Channels at the highest resolution; must be a multiple of `norm_groups`."""
    multipliers: list[int]
    """Channel multiplier of each resolution, highest first; each further entry halves the resolution."""
    residual_blocks: int
    """Residual blocks a resolution."""
    attention_sizes: list[int]
    """Resolutions (pixels a side) that carry self-attention."""
    norm_groups: int
    """Groups of every GroupNorm."""
    codebook_size: int
    """Number of codebook entries K."""
    code_dim: int
    """Channels of a code."""


@dataclass(kw_only=True)
class CodePredictorSize:
    """Sizes of the code-predicting Transformer (codeformer.md 1.2)."""

    dim: int
    """Token width."""
    heads: int
    """Attention heads; must divide `dim`."""
    layers: int
    """Transformer layers."""


@dataclass(kw_only=True)
class FeatureTransformationSize:
    """Resolutions at which encoder features may be fused into the generator (codeformer.md 1.2, CFT)."""

    coarse_sizes: list[int]
    """The low resolutions only, pixels a side."""
    all_sizes: list[int]
    """Every resolution that the method fuses by default, pixels a side."""


@dataclass(kw_only=True)
class DiscriminatorSize:
    """Sizes of the patch discriminator (codeformer.md 1.3)."""

    width: int
    """Channels of the first convolution."""
    layers: int
    """Stride-2 convolutions."""


@dataclass(kw_only=True)
class RecogniserSize:
    """Sizes of the small face recogniser that this suite trains on rendered identities."""

    input_size: int
    """Side to which faces are resized first, pixels."""
    width: int
    """Channels of the first stage."""
    embedding_dim: int
    """Length of the identity embedding."""


@dataclass(kw_only=True)
class DiffusionUnetSize:
    """Sizes of the unconditional diffusion prior (difface.md 2.1; the values of `paper512` are the published ones)."""

    image_size: int
    """Side of the square images that the prior was trained on, pixels."""
    width: int
    """Channels at the highest resolution; must be a multiple of `norm_groups`."""
    multipliers: list[int]
    """Channel multiplier of each resolution, highest first; each further entry halves the resolution."""
    residual_blocks: list[int]
    """Residual blocks of each resolution on the way down; one more on the way up."""
    attention_sizes: list[int]
    """Resolutions (pixels a side, of an image of `image_size`) whose blocks carry self-attention."""
    head_width: int
    """Channels of an attention head; must divide the width of every resolution that has attention."""
    norm_groups: int
    """Groups of every GroupNorm."""


@dataclass(kw_only=True)
class SwinIrSize:
    """Sizes of the SwinIR restoration backbone (difface.md 2.3; the values of `paper512` are the published ones)."""

    image_size: int
    """Side of the square images that it was trained on, pixels; the attention masks are kept for this side."""
    downscale: int
    """The image is unshuffled into tokens of downscale x downscale pixels; a power of 2."""
    width: int
    """Token width; must divide by every entry of `heads`."""
    depths: list[int]
    """Transformer blocks of each residual group."""
    heads: list[int]
    """Attention heads of each residual group."""
    window: int
    """Side of an attention window, tokens; must divide image_size / downscale."""
    mlp_ratio: float
    """Hidden width of the MLPs over the token width."""
    up_width: int
    """Channels of the convolutions that go back to pixels."""
    drop_path: float
    """Greatest probability with which a block is left out in training; it rises linearly from 0 over the blocks."""


@dataclass(kw_only=True)
class SrcnnSize:
    """Sizes of the SRCNN restoration backbone of the same resolution (difface.md 2.4)."""

    downscale: int
    """Working resolution is 1 / downscale of the image's; a power of 2, at least 2."""
    width: int
    """Channels of the body."""
    depth: int
    """One more than the 5 x 5 convolutions of the body."""


@dataclass(kw_only=True)
class DenseRegistrationSize:
    """Sizes of the network that predicts a displacement or velocity field (codeformer_plus_plus.md 3.2, VoxelMorph)."""

    encoder_widths: list[int]
    """Channels of the convolutions with stride 2; the image's side must divide by 2 ** their number."""
    decoder_widths: list[int]
    """Channels on the way up, one for each of the encoder's, lowest resolution first."""
    final_widths: list[int]
    """Channels of the convolutions at the field's resolution."""


@dataclass(kw_only=True)
class AffineRegistrationSize:
    """Sizes of the network that regresses few numbers, an affine map or the offsets of control points (sheet, R1b and R2)."""

    widths: list[int]
    """Channels of the convolutions with stride 2; the image's side must divide by 2 ** their number."""


@dataclass(kw_only=True)
class PyramidRegistrationSize:
    """Sizes of the coarse-to-fine network (sheet, R6)."""

    levels: int
    """Resolutions, each half of the one before; the image's side must divide by 2 ** (levels - 1)."""
    width: int
    """Channels of every level's convolutions."""
    blocks: int
    """Residual blocks of every level."""


@dataclass(kw_only=True)
class RecurrentRegistrationSize:
    """Sizes of the network with correlation volume and recurrent updates (sheet, R7, RAFT)."""

    downscale: int
    """Features are at 1 / downscale of the image's side; a power of 2."""
    feature_width: int
    """Channels of the compared features."""
    hidden_width: int
    """Channels of the recurrent state and of the context."""
    levels: int
    """Levels of the pooled pyramid of correlations."""
    radius: int
    """Cells around the current place at which each level is looked up."""


@dataclass(kw_only=True)
class TextureFusionSize:
    """Sizes of the texture-prior guided restoration network (codeformer_plus_plus.md 5)."""

    widths: list[int]
    """Channels of each resolution of both encoders, highest first; the image's side must divide by 2 ** their number."""
    residual_blocks: int
    """Residual blocks a resolution, in encoders and decoder."""
    bottleneck_blocks: int
    """Residual blocks at the lowest resolution."""
    norm_groups: int
    """Groups of every GroupNorm."""
    reduction: int
    """Channels over the hidden width of the fusion's MLP."""
    offset_groups: int
    """Groups of offsets of the deformable alignments; must divide every width."""
    window: int
    """Side of the windows of local attention and of cross-attention, cells, odd."""
    heads: int
    """Heads of windowed cross-attention; must divide every width."""


@dataclass(kw_only=True)
class LandmarkDetectorSize:
    """Sizes of the small landmark detector that this suite trains on rendered faces."""

    input_size: int
    """Side to which faces are resized first, pixels."""
    width: int
    """Channels at the highest resolution."""
    landmarks: int
    """Landmarks a face: 68 (iBUG)."""


@dataclass(kw_only=True)
class MobileRecogniserSize:
    """Sizes of the second recogniser, of inverted residuals, which guides where the first one measures."""

    input_size: int
    """Side to which faces are resized first, pixels; a multiple of 8."""
    width: int
    """Channels of the stem."""
    expansion: int
    """Hidden over outer channels of an inverted residual."""
    repeats: int
    """Inverted residuals of each of the three resolutions."""
    embedding_dim: int
    """Length of the identity embedding."""


@dataclass(kw_only=True)
class RestorationUnetSize:
    """Sizes of the light identity recovery network (clr_face.md 5)."""

    widths: list[int]
    """Channels of each resolution, highest first; each further entry halves the resolution."""
    residual_blocks: int
    """Residual blocks a resolution, on the way down and on the way up."""
    norm_groups: int
    """Groups of every GroupNorm."""


@dataclass(kw_only=True)
class LatentMaskSize:
    """Sizes of the adaptive latent mask (clr_face.md 6)."""

    width: int
    """Channels of the hidden convolutions."""
    layers: int
    """Convolutions."""


@dataclass(kw_only=True)
class ScaleSettings:
    """One scale: the sizes of all networks that belong together."""

    name: str
    """Name of the scale, shown in run names and records."""
    autoencoder: VqAutoencoderSize
    code_predictor: CodePredictorSize
    feature_transformation: FeatureTransformationSize
    discriminator: DiscriminatorSize
    recogniser: RecogniserSize
    diffusion_unet: DiffusionUnetSize
    swinir: SwinIrSize
    srcnn: SrcnnSize
    dense_registration: DenseRegistrationSize
    affine_registration: AffineRegistrationSize
    pyramid_registration: PyramidRegistrationSize
    recurrent_registration: RecurrentRegistrationSize
    texture_fusion: TextureFusionSize
    landmark_detector: LandmarkDetectorSize
    latent_autoencoder: dict[str, VqAutoencoderSize]
    """By the name of the latent, f4 to f32 (clr_face.md 2)."""
    latent_unet: DiffusionUnetSize
    """Of the score model; its `image_size` is the side of the latent f4."""
    restoration_unet: RestorationUnetSize
    mobile_recogniser: MobileRecogniserSize
    latent_mask: LatentMaskSize

    @property
    def image_size(self) -> int:
        """Side of the images of this scale, pixels."""
        return self.autoencoder.image_size
