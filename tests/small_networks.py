"""Sizes of networks that compute in milliseconds."""

from src.settings.scale import CodePredictorSize, DiffusionUnetSize, SrcnnSize, SwinIrSize, VqAutoencoderSize

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
DIFFUSION_UNET = DiffusionUnetSize(
    image_size=32,
    width=8,
    multipliers=[1, 2, 2],
    residual_blocks=[1, 1, 2],
    attention_sizes=[16, 8],
    head_width=8,
    norm_groups=4,
)
SWINIR = SwinIrSize(
    image_size=32,
    downscale=2,
    width=12,
    depths=[2, 2],
    heads=[2, 3],
    window=4,
    mlp_ratio=2.0,
    up_width=8,
    drop_path=0.0,
)
SRCNN = SrcnnSize(downscale=2, width=8, depth=3)
