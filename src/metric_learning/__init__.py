"""Deep metric learning of fused faces: component masks, constructed positives and negatives, losses on cosines."""
