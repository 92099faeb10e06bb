"""Cross-field rules: every problem is found, all at once, each with its key and value."""

import re

import pytest

from src.config.compose import compose_train
from src.config.validate import validate
from src.settings.errors import UserError

WRONG = {
    "stage=vqgna": "stage: 'vqgna'",
    "seed=-1": "seed: -1",
    "scale.autoencoder.image_size=66": "scale.autoencoder.image_size: 66",
    "scale.autoencoder.width=20": "scale.autoencoder.width: 20",
    "scale.code_predictor.heads=3": "scale.code_predictor.dim: 128",
    "vqgan.training.iterations=0": "vqgan.training.iterations: 0",
    "vqgan.training.ema_decay=1.5": "vqgan.training.ema_decay: 1.5",
    "vqgan.losses.pixel=-1": "vqgan.losses.pixel: -1",
    "vqgan.losses.perceptual_network=vgg": "vqgan.losses.perceptual_network: 'vgg'",
    "code_predictor.training.learning_rate.kind=linear": "code_predictor.training.learning_rate.kind: 'linear'",
    "cft.training.learning_rate.minimum=1": "cft.training.learning_rate.minimum: 1",
    "cft.fused_sizes=[48]": "cft.fused_sizes: [48]",
    "cft.training_fidelity=free": "cft.training_fidelity: 'free'",
    "cft.sampled_fidelity=[1.0,0.0]": "cft.sampled_fidelity: [1.0, 0.0]",
    "cft.phases=[{until: 10, image_every: 1, fidelity: 1.0}]": "cft.phases: the ends [10]",
    "recogniser.training.batch_size=0": "recogniser.training.batch_size: 0",
    "recogniser.degraded_share=1.2": "recogniser.degraded_share: 1.2",
    "data.flip_probability=2": "data.flip_probability: 2",
    "evaluation.fidelities=[0.5,1.2]": "evaluation.fidelities: 1.2",
    "evaluation.fidelities=[]": "evaluation.fidelities: []",
    "evaluation.shown_faces=0": "evaluation.shown_faces: 0",
    "benchmark.split=train": "benchmark.split: 'train'",
    "benchmark.count=0": "benchmark.count: 0",
    "benchmark.seed=-2": "benchmark.seed: -2",
    "benchmark.degradation.noise=[5,1]": "benchmark.degradation",
    "metrics.family=paper": "metrics.family: 'paper'",
    "metrics.primary=lpips": "metrics.primary: 'lpips'",
    "metrics.bootstrap_resamples=10": "metrics.bootstrap_resamples: 10",
    "trainer.strategy=fsdp": "trainer.strategy: 'fsdp'",
    "trainer.precision=16-mixed": "trainer.precision: '16-mixed'",
    "trainer.devices=0": "trainer.devices: 0",
    "trainer.num_nodes=0": "trainer.num_nodes: 0",
    "trainer.log_every=0": "trainer.log_every: 0",
    "trainer.workers=-1": "trainer.workers: -1",
    "logger.mode=quiet": "logger.mode: 'quiet'",
}


@pytest.mark.parametrize(("override", "sentence"), WRONG.items())
def test_a_wrong_value_is_named(override: str, sentence: str) -> None:
    with pytest.raises(UserError, match=re.escape(sentence)):
        validate(compose_train([override]))


def test_all_problems_are_listed_at_once() -> None:
    """Left out are those that another value of the same key would hide."""
    together = {
        override: sentence
        for override, sentence in WRONG.items()
        if not override.startswith(("evaluation.fidelities=[]", "trainer.devices"))
    }
    with pytest.raises(UserError) as caught:
        validate(compose_train(list(together)))
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{len(lines) - 1} problems in the configuration:"
    assert all(any(sentence in line for line in lines) for sentence in together.values())


def test_a_global_batch_divides_by_the_devices_of_all_nodes() -> None:
    sizes = [f"{stage}.training.batch_size=8" for stage in ("vqgan", "code_predictor", "cft", "recogniser")]
    validate(compose_train([*sizes, "trainer.devices=4", "trainer.num_nodes=2"]))
    with pytest.raises(UserError, match=r"vqgan\.training\.batch_size: 8 .*12"):
        validate(compose_train([*sizes, "trainer.devices=4", "trainer.num_nodes=3"]))
