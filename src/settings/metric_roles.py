"""Roles that a metric can play in a comparison."""

RECORDED_ROLES = (
    "perceptual",
    "distribution",
    "distribution_unbiased",
    "identity",
    "identity_to_input",
    "landmarks",
    "no_reference",
    "psnr",
    "ssim",
)
"""Roles of which a record names the metric that stands for it; one of them, or one metric by its id, decides a study."""
DEFAULT_PRIMARY = "perceptual"
"""Decides where a study names nothing."""
