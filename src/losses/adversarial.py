"""Hinge GAN losses and the adaptive weight of the generator's term (codeformer.md 2.1)."""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import relu

Scalar = Float[Tensor, ""]


def generator_hinge(fake_scores: Float[Tensor, "b 1 h w"]) -> Scalar:
    """-mean D(G(x))."""
    return -fake_scores.mean()


def discriminator_hinge_real(real_scores: Float[Tensor, "b 1 h w"]) -> Scalar:
    """mean max(0, 1 - D(x))."""
    return relu(1.0 - real_scores).mean()


def discriminator_hinge_fake(fake_scores: Float[Tensor, "b 1 h w"]) -> Scalar:
    """mean max(0, 1 + D(G(x)))."""
    return relu(1.0 + fake_scores).mean()


def adaptive_weight(
    reconstruction_gradient: Float[Tensor, "..."], adversarial_gradient: Float[Tensor, "..."], maximum: float
) -> Scalar:
    """clamp(|grad rec| / (|grad gan| + 1e-4), 0, maximum), without graph and in float32.

    The gradients are those of the image losses with respect to one weight tensor near the output.
    """
    numerator = reconstruction_gradient.detach().float().norm()
    denominator = adversarial_gradient.detach().float().norm() + 1e-4
    return (numerator / denominator).clamp(0.0, maximum)
