"""The identity of a run changes with what can change its weights, and with nothing else."""

from functools import cache

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from src.config.compose import CONFIG_DIR, compose_train, typed
from src.config.identity import effective_config, identity, run_name
from src.config.schema import register
from src.settings.commands import TrainConfig

INGREDIENTS = {"data": "d" * 64, "vqgan": "a" * 64, "code_predictor": "b" * 64}


@cache
def composed(*choices: str) -> DictConfig:
    """The configuration under these choices of groups."""
    register()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return compose("train", overrides=list(choices))


def of(*overrides: str, **ingredients: str) -> str:
    """Identity under these overrides."""
    groups = [text for text in overrides if text.startswith(("scale=", "data=", "arm=", "logger="))]
    values = OmegaConf.from_dotlist([text for text in overrides if text not in groups])
    config = typed(OmegaConf.merge(composed(*groups), values))
    return identity(effective_config(config), INGREDIENTS | ingredients)


@pytest.mark.parametrize(
    "override",
    [
        "run_store=elsewhere",
        "resume=false",
        "study=other",
        "label=other",
        "question=other",
        "logger=none",
        "logger.project=other",
        "logger.tags=[a]",
        "trainer.accelerator=gpu",
        "trainer.devices=2",
        "trainer.num_nodes=2",
        "trainer.strategy=ddp",
        "trainer.workers=3",
        "trainer.threads=1",
        "trainer.channels_last=true",
        "trainer.log_every=1",
        "trainer.images_every=5",
        "trainer.progress=false",
        "cft.training.checkpoint_every=7",
        "evaluation.fidelities=[0.5]",
        "evaluation.batch_size=1",
        "benchmark.count=3",
        "benchmark.degradation.steps.gaussian_noise.std=[0,1]",
        "metrics.primary=psnr",
        "metrics.stand_ins=always",
        "vqgan.training.iterations=77",
        "recogniser.training.iterations=77",
        "upstream.vqgan=train",
        "cft.sampled_fidelity=[0.2,0.3]",
        "cft.small_degradation.steps.jpeg.quality=[60.0,100.0]",
    ],
)
def test_unchanged_by(override: str) -> None:
    assert of(override) == of()


@pytest.mark.parametrize(
    "override",
    [
        "seed=1",
        "stage=code_predictor",
        "scale=small256",
        "arm=none",
        "arm=all_sampled",
        "arm=all_fixed_adain",
        "trainer.precision=bf16-mixed",
        "data.seed=1",
        "data.identities=300",
        "data.flip_probability=0",
        "scale.autoencoder.width=32",
        "scale.code_predictor.layers=4",
        "scale.discriminator.layers=2",
        "cft.training.iterations=119",
        "cft.training.batch_size=4",
        "cft.training.learning_rate.initial=1e-4",
        "cft.training.learning_rate.kind=constant",
        "cft.training.betas=[0.5,0.9]",
        "cft.training.ema_decay=0.5",
        "cft.image_losses.perceptual=0.5",
        "cft.code_losses.token=1",
        "cft.phases=[{until: 120, image_every: 1, fidelity: 0.5}]",
        "cft.large_degradation.steps.gaussian_noise.std=[0,1]",
        "cft.small_degradation.steps.blur.sigma=[1,2]",
    ],
)
def test_changed_by(override: str) -> None:
    assert of(override) != of()


def test_sampled_range_counts_where_it_is_sampled_from() -> None:
    assert of("arm=all_sampled", "cft.sampled_fidelity=[0.2,0.3]") != of("arm=all_sampled")


@pytest.mark.parametrize("name", INGREDIENTS)
def test_changed_by_the_hash_of_an_ingredient(name: str) -> None:
    assert of(**{name: "e" * 64}) != of()


def test_a_folder_counts_by_content_not_by_place() -> None:
    def folder(root: str, **changes: str) -> str:
        return of("data=folder", f"data.root={root}", **changes)

    assert folder("/here") == folder("/there")
    assert folder("/here", data="e" * 64) != folder("/here")


@pytest.mark.parametrize("stage", ["vqgan", "recogniser"])
def test_a_stage_without_upstream_ignores_the_arm_of_stage_three(stage: str) -> None:
    assert of(f"stage={stage}", "arm=none_adain") == of(f"stage={stage}")
    assert of(f"stage={stage}", f"{stage}.training.iterations=9") != of(f"stage={stage}")


def test_run_name_is_readable() -> None:
    config: TrainConfig = compose_train(["seed=3", "arm=none"])
    assert run_name(config, "0123456789") == "tiny64-none-s3-0123456789"
    assert run_name(compose_train(["stage=vqgan"]), "0123456789") == "tiny64-s0-0123456789"
