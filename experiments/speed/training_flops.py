"""FLOPs of a training step without a computation: stages on the meta device."""

from contextlib import nullcontext

import torch

from experiments.speed.bare_loop import BareLoop
from experiments.speed.separate_gradients import separate_gradients
from experiments.speed.step_parts import PartFlops
from experiments.speed.training_stages import random_batch, random_stage, training_config, without_autocast

MOST_GIGAFLOPS = {"vqgan": 2400, "code_predictor": 675, "cft": 2900}
"""Targets of performance.md (12) for a face of 512 px. That of stage III rests on an estimate of 180 GFLOP for a pass from
the image to the finest CFT block; counted, it is 218, and 19 for each gradient of the layer there."""


FACES = 2
"""A batch of one would leave some normalisations nothing to normalise over."""


def step_flops(stage: str, scale: str, side: int | None, *, public: bool = False) -> dict[str, float]:
    """FLOPs a face of one step by part of the step; codes are cached, the discriminator acts, w is 1.

    As the public code goes about it if `public`: separate gradients, and codes made of the clean face in every step.
    """
    config = training_config(stage, scale, side, batch=FACES)
    counter = PartFlops()
    with without_autocast():
        with torch.device("meta"):
            built, batch = random_stage(config).to("meta"), random_batch(config, FACES)
        loop = BareLoop(built)
        if public:
            batch.pop("codes", None)
        with separate_gradients() if public else nullcontext(), counter.counted():
            loop.step(batch)
    return {part: flops / FACES for part, flops in counter.flops.items()}
