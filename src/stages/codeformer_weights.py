"""Carrying CodeFormer's weights from stage II to stage III."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from src.networks.codeformer import CodeFormer
from src.settings.scale import ScaleSettings

FUSION_PREFIX = "fuse_convs_dict."


def codeformer_sizes(scale: ScaleSettings, fused_sizes: Sequence[int]) -> dict[str, Any]:
    """Everything needed to build the network again, as plain values."""
    return {
        "autoencoder": asdict(scale.autoencoder),
        "code_predictor": asdict(scale.code_predictor),
        "fused_sizes": list(fused_sizes),
    }


def with_fusion(predictor: CodeFormer, scale: ScaleSettings, fused_sizes: Sequence[int]) -> CodeFormer:
    """A new network with fresh fusion blocks and every other weight taken from `predictor`.

    Raises:
        ValueError: a weight other than those of the fusion blocks has no counterpart.
    """
    network = CodeFormer(scale.autoencoder, scale.code_predictor, fused_sizes=fused_sizes)
    known = {key: value for key, value in predictor.state_dict().items() if not key.startswith(FUSION_PREFIX)}
    result = network.load_state_dict(known, strict=False)
    left = [key for key in result.missing_keys if not key.startswith(FUSION_PREFIX)]
    if left or result.unexpected_keys:
        raise ValueError(f"stage II weights do not fit: missing {left[:3]}, unexpected {result.unexpected_keys[:3]}")
    return network
