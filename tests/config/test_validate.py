"""Cross-field rules: every problem is found, all at once, each with its key and value."""

import re

import pytest

from src.config.compose import compose_train
from src.config.stage_order import STAGES
from src.config.validate import validate
from src.settings.errors import UserError

WRONG = {
    "stage=vqgna": "stage: 'vqgna'",
    "seed=-1": "seed: -1",
    "scale.autoencoder.image_size=66": "scale.autoencoder.image_size: 66",
    "scale.autoencoder.width=20": "scale.autoencoder.width: 20",
    "scale.code_predictor.heads=3": "scale.code_predictor.dim: 128",
    "vqgan.training.iterations=0": "vqgan.training.iterations: 0",
    "vqgan.training.gradient_clip=-1": "vqgan.training.gradient_clip: -1",
    "vqgan.training.learning_rate.warmup=-5": "vqgan.training.learning_rate.warmup: -5",
    "vqgan.training.ema_decay=1.5": "vqgan.training.ema_decay: 1.5",
    "code_predictor.training.learning_rate.initial=nan": "code_predictor.training.learning_rate.initial: nan",
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
    "data.test_identities=0": "data.test_identities: 0",
    "data.identities=16": "data.identities: 16",
    "cft.training.betas=[0.9]": "cft.training.betas: [0.9]",
    "vqgan.codebook.window=0": "vqgan.codebook.window: 0",
    "data.flip_probability=2": "data.flip_probability: 2",
    "evaluation.fidelities=[0.5,1.2]": "evaluation.fidelities: 1.2",
    "evaluation.shown_faces=0": "evaluation.shown_faces: 0",
    "benchmark.split=train": "benchmark.split: 'train'",
    "benchmark.count=0": "benchmark.count: 0",
    "benchmark.seed=-2": "benchmark.seed: -2",
    "benchmark.degradation.steps.gaussian_noise.std=[5,1]": "benchmark.degradation: steps.gaussian_noise.std is [5, 1]",
    "recogniser.degradation.steps.jpeg.quality=[0,80]": "recogniser.degradation: steps.jpeg.quality is [0, 80]",
    "cft.small_degradation.steps.blur.kernel_size=40": "cft.small_degradation: steps.blur.kernel_size is 40",
    "cft.large_degradation.steps.blur.kernels=round": "cft.large_degradation: steps.blur.kernels is 'round'",
    "+code_predictor.degradation.steps.sharpen={a: 1}": "code_predictor.degradation: steps.sharpen is no known",
    "metrics.stand_ins=sometimes": "metrics.stand_ins: 'sometimes'",
    "metrics.primary=lpips": "metrics.primary: 'lpips'",
    "metrics.bootstrap_resamples=10": "metrics.bootstrap_resamples: 10",
    "trainer.strategy=fsdp": "trainer.strategy: 'fsdp'",
    "trainer.precision=16-mixed": "trainer.precision: '16-mixed'",
    "trainer.num_nodes=0": "trainer.num_nodes: 0",
    "trainer.log_every=0": "trainer.log_every: 0",
    "trainer.workers=-1": "trainer.workers: -1",
    "logger.mode=quiet": "logger.mode: 'quiet'",
}


HIDING = {
    "evaluation.fidelities=[]": "evaluation.fidelities: []",
    "scale.autoencoder.multipliers=[0,1,1]": "scale.autoencoder.multipliers: [0, 1, 1]",
    "scale.autoencoder.norm_groups=0": "scale.autoencoder.norm_groups: 0",
    "scale.code_predictor.heads=0": "scale.code_predictor.heads: 0",
    "cft.sampled_fidelity=[nan,1.0]": "cft.sampled_fidelity: [nan, 1.0]",
    "label=a/b": "label: 'a/b'",
    "trainer.devices=0": "trainer.devices: 0",
}
"""Values that hide another problem of `WRONG` when they are given together."""


def test_all_problems_are_listed_at_once() -> None:
    with pytest.raises(UserError) as caught:
        validate(compose_train(list(WRONG)))
    head, *lines = str(caught.value).splitlines()
    assert head == f"{len(lines)} problems in the configuration:"
    unnamed = [sentence for sentence in WRONG.values() if not any(line.strip().startswith(sentence) for line in lines)]
    assert not unnamed


@pytest.mark.parametrize(("override", "sentence"), HIDING.items())
def test_a_single_problem_is_one_sentence(override: str, sentence: str) -> None:
    with pytest.raises(UserError, match="^" + re.escape(sentence)) as caught:
        validate(compose_train([override]))
    assert "\n" not in str(caught.value)


def test_a_global_batch_divides_by_the_devices_of_all_nodes() -> None:
    sizes = [f"{stage}.training.batch_size=8" for stage in STAGES]
    validate(compose_train([*sizes, "trainer.devices=4", "trainer.num_nodes=2"]))
    with pytest.raises(UserError, match=r"vqgan\.training\.batch_size: 8 .*12"):
        validate(compose_train([*sizes, "trainer.devices=4", "trainer.num_nodes=3"]))


def test_the_device_refuses_steps_that_it_does_not_have() -> None:
    stage = ["stage=code_predictor", "degradation@code_predictor.degradation=codeformer_inpainting"]
    validate(compose_train(stage))
    with pytest.raises(
        UserError, match=r"^code_predictor\.degradation: steps\.brush_mask.*trainer\.degradation=loader"
    ):
        validate(compose_train([*stage, "trainer.degradation=device"]))
    validate(
        compose_train(["stage=cft", "degradation@benchmark.degradation=second_order", "trainer.degradation=device"])
    )
