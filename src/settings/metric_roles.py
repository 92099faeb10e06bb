"""Roles that a metric can play in a comparison."""

RECORDED_ROLES = ("perceptual", "distribution", "identity", "psnr", "ssim")
"""Roles of which a record names the metric that stands for it; one of them decides a study."""
