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
class ScaleSettings:
    """One scale: the sizes of all networks that belong together."""

    name: str
    """Name of the scale, shown in run names and records."""
    autoencoder: VqAutoencoderSize
    code_predictor: CodePredictorSize
    feature_transformation: FeatureTransformationSize
    discriminator: DiscriminatorSize
    recogniser: RecogniserSize

    @property
    def image_size(self) -> int:
        """Side of the images of this scale, pixels."""
        return self.autoencoder.image_size
