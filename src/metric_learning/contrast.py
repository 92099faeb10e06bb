"""Deep metric learning of fused faces: towards the constructed positive, away from the negatives.

Source: codeformer_plus_plus.md, section 6.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from src.metric_learning.feature_space import FeatureSpace, layer_cosines
from src.metric_learning.info_nce import info_nce_loss
from src.metric_learning.negative import constructed_negatives
from src.metric_learning.positive import Image, Mask, constructed_positive
from src.metric_learning.triplet import triplet_loss
from src.settings.codeformer_plus_plus import MetricLearningSettings


def metric_learning_loss(
    fused: Image,
    identity: Image,
    generative: Image,
    warped: Image,
    mask: Mask,
    features: FeatureSpace,
    settings: MetricLearningSettings,
) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
    """The loss, not yet times `settings.weight`, and facts by name: mean cosines, and for triplets the share of active ones.

    The fused faces are the anchors and alone get a gradient. All images RGB in [-1, 1]; `generative` is not registered,
    `warped` is; `mask` in [0, 1] is 1 on components.
    """
    positive, negatives = _constructed(identity, generative, warped, mask, settings)
    anchor = features(fused)
    to_positive = layer_cosines(anchor, _constant(features, positive))
    to_negatives = {name: layer_cosines(anchor, _constant(features, image)) for name, image in negatives.items()}
    facts = {f"cosine_{name}": cosine.detach().mean() for name, cosine in to_negatives.items()}
    facts["cosine_positive"] = to_positive.detach().mean()
    stacked = torch.stack(list(to_negatives.values()))
    if settings.contrast == "info_nce":
        return info_nce_loss(to_positive, stacked, settings.temperature), facts
    triplets = triplet_loss(to_positive, stacked, settings.margin)
    return triplets.loss, facts | {"active_triplets": triplets.active}


@torch.no_grad()
def _constructed(
    identity: Image, generative: Image, warped: Image, mask: Mask, settings: MetricLearningSettings
) -> tuple[Image, dict[str, Tensor]]:
    # Frequencies are parted by subtraction, which bfloat16 is too coarse for.
    with torch.autocast(identity.device.type, enabled=False):
        faces = [image.float() for image in (identity, generative, warped)]
        positive = constructed_positive(settings.positive, faces[0], faces[2], mask.float(), settings.cutoff)
        negatives = constructed_negatives(settings.negatives, faces[0], faces[1], mask.float(), settings.blur)
    return positive, negatives


@torch.no_grad()
def _constant(features: FeatureSpace, image: Image) -> list[Tensor]:
    return features(image)
