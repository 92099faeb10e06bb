"""Which paths a SwinIR leaves out in training, without a state of a generator."""

import torch

from src.degradation.keyed import SampleKey, keyed_uniforms, stream_number


def seed_dropped_paths(seed: int, iteration: int, rank: int) -> None:
    """Seed the paths that are dropped next, so that a resumed run drops the same."""
    key = SampleKey(seed, iteration, rank)
    torch.manual_seed(int(keyed_uniforms(key, stream_number("drop_path"), 1)[0] * 2**53))
