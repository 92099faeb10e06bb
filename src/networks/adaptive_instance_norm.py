"""Adaptive instance normalisation."""

from jaxtyping import Float
from torch import Tensor

ADAIN_EPS = 1e-5


def _mean_and_deviation(feature: Tensor) -> tuple[Tensor, Tensor]:
    positions = feature.flatten(2).float()
    deviation = (positions.var(dim=2) + ADAIN_EPS).sqrt()
    return positions.mean(dim=2)[..., None, None], deviation[..., None, None]


def adaptive_instance_norm(
    content: Float[Tensor, "b d h w"], style: Float[Tensor, "b d h w"]
) -> Float[Tensor, "b d h w"]:
    """Give `content` the mean and deviation of `style`, per sample and channel.

    Deviation = sqrt(unbiased variance over positions + 1e-5) (codeformer.md 1.2, step 5). Statistics in fp32.
    """
    content_mean, content_deviation = _mean_and_deviation(content)
    style_mean, style_deviation = _mean_and_deviation(style)
    matched = (content.float() - content_mean) / content_deviation * style_deviation + style_mean
    return matched.to(content.dtype)
