"""Sizes of networks that compute in milliseconds."""

from src.settings.scale import CodePredictorSize, VqAutoencoderSize

AUTOENCODER = VqAutoencoderSize(
    image_size=32,
    width=8,
    multipliers=[1, 2, 2],
    residual_blocks=1,
    attention_sizes=[8],
    norm_groups=4,
    codebook_size=16,
    code_dim=8,
)
PREDICTOR = CodePredictorSize(dim=16, heads=2, layers=1)
