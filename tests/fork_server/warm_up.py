"""Imported by the server: what commands import, and the first of calls that cost less afterwards.

None of it starts a thread, of which a fork would know nothing.
"""
# ruff: noqa: F401

import torch.distributed.run

import src.jobs.evaluate_job
import src.jobs.sweep
import src.jobs.train_job
import src.photos.build
from src.config.compose import compose_train
from src.degradation.keyed import SampleKey, keyed_normals, keyed_uniforms

# Numba prepares itself, and Hydra's parser learns the grammar of overrides.
keyed_uniforms(SampleKey(0, 0, 0), 0, 1)
keyed_normals(SampleKey(0, 0, 0), 0, 1)
compose_train(["+experiment=quickstart", "cft.phases=[{until: 2, image_every: 1, fidelity: 1.0}]", "seed=1"])
