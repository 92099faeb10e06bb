"""How far a recipe shrinks each image, without degrading any."""

import numpy as np
from jaxtyping import Float32

from src.degradation.chain import Chain
from src.degradation.draw import draw
from src.degradation.drawn import ResizeDraw
from src.degradation.keyed import SampleKey


def downscale_factors(chain: Chain, seed: int, count: int, size: int) -> Float32[np.ndarray, "n"]:
    """Side of the image over the smallest side it is resized to, of the images 0 to `count` - 1 of `size` pixels; >= 1.

    Raises ValueError for an illegal seed.
    """
    factors = np.ones(count, np.float32)
    for index in range(count):
        steps = draw(chain, SampleKey(seed, 0, index), size)
        sides = [step.side for step in steps if isinstance(step, ResizeDraw)]
        factors[index] = size / min([size, *sides])
    return factors
