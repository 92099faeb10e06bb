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


ARM = {"swinir": "srcnn", "srcnn": "swinir"}
"""The other one of each architecture."""


@pytest.mark.parametrize("arm", ARM)
def test_only_the_sizes_of_the_chosen_architecture_count(arm: str) -> None:
    assert of(f"arm={arm}", f"scale.{ARM[arm]}.width=96") == of(f"arm={arm}")
    assert of(f"arm={arm}", f"scale.{arm}.width=96") != of(f"arm={arm}")
    assert of(f"arm={arm}") != of(f"arm={ARM[arm]}")


@pytest.mark.parametrize(
    ("arm", "override", "counts"),
    [
        ("swinir", "restoration_backbone.pixel_loss=l2", True),
        ("swinir", "restoration_backbone.perceptual=0.1", True),
        ("swinir", "restoration_backbone.degradation.steps.blur.sigma=[1,2]", True),
        ("swinir", "benchmark.degradation.steps.blur.sigma=[1,2]", False),
        ("swinir", "diffusion_prior.objective=simple", False),
        ("swinir", "evaluation.difface.starts.start=[100]", False),
        ("swinir", "upstream.diffusion_prior=train", False),
    ],
)
def test_a_backbone_depends_on_its_own_settings_not_on_the_prior(arm: str, override: str, counts: bool) -> None:
    assert (of(f"arm={arm}", override) != of(f"arm={arm}")) == counts


@pytest.mark.parametrize(
    ("override", "counts"),
    [
        ("diffusion_prior.objective=simple", True),
        ("diffusion_prior.process.last_beta=0.01", True),
        ("diffusion_prior.timestep_sampling=importance", True),
        ("diffusion_prior.training.gradient_clip=2", True),
        ("diffusion_prior.training.learning_rate.warmup=7", True),
        ("diffusion_prior.flip_probability=0", True),
        ("diffusion_prior.bound_weight=2", True),
        ("scale.diffusion_unet.head_width=16", True),
        ("diffusion_prior.sample_steps=7", False),
        ("scale.swinir.width=96", False),
        ("restoration_backbone.pixel_loss=l2", False),
        ("label=other", False),
    ],
)
def test_a_prior_depends_on_its_own_settings(override: str, counts: bool) -> None:
    assert (of("stage=diffusion_prior", override) != of("stage=diffusion_prior")) == counts


@pytest.mark.parametrize(
    ("words", "idle"),
    [
        (["stage=diffusion_prior", "diffusion_prior.objective=simple"], "diffusion_prior.bound_weight=2"),
        (
            ["stage=diffusion_prior", "diffusion_prior.process.schedule=cosine"],
            "diffusion_prior.process.last_beta=0.01",
        ),
        (["arm=swinir"], "restoration_backbone.perceptual_network=st_lpips"),
    ],
)
def test_unchanged_by_what_does_nothing_under_the_other_settings(words: list[str], idle: str) -> None:
    assert of(*words, idle) == of(*words)


@pytest.mark.parametrize("stage", ["vqgan", "code_predictor", "cft", "recogniser"])
def test_settings_that_came_later_leave_older_runs_where_they_are(stage: str) -> None:
    training = effective_config(compose_train([f"stage={stage}"]))[stage]["training"]
    assert "gradient_clip" not in training
    assert "warmup" not in training["learning_rate"]
    for change in ("gradient_clip=1", "learning_rate.warmup=10"):
        assert of(f"stage={stage}", f"{stage}.training.{change}") != of(f"stage={stage}")


def test_run_name_is_readable() -> None:
    config: TrainConfig = compose_train(["seed=3", "arm=none"])
    assert run_name(config, "0123456789") == "tiny64-none-s3-0123456789"
    assert run_name(compose_train(["stage=vqgan"]), "0123456789") == "tiny64-s0-0123456789"
    assert run_name(compose_train(["arm=srcnn"]), "0123456789") == "tiny64-srcnn-s0-0123456789"
    assert run_name(compose_train(["stage=diffusion_prior"]), "0123456789") == "tiny64-s0-0123456789"
