"""Every file below conf/ composes to the typed configuration, and what does not belong there fails by name."""

import shutil
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException

from src.checkpoints import published
from src.config.compose import CONFIG_DIR, compose_train, typed
from src.config.schema import register
from src.config.validate import validate
from src.degradation.recipes import joint_names, recipe_names
from src.diffusion.process import PUBLISHED
from src.settings.data import FolderSettings
from src.settings.errors import UserError
from src.settings.scale import SrcnnSize

EXPERIMENTS = sorted(path.stem for path in (CONFIG_DIR / "experiment").glob("*.yaml"))


def options(group: str) -> list[str]:
    """Names of the files of a config group."""
    return sorted(path.stem for path in (CONFIG_DIR / group).glob("*.yaml"))


def degraded() -> list[str]:
    """Keys below which the defaults list puts a recipe."""
    named = [key for entry in defaults_list() if isinstance(entry, dict) for key in entry]
    return [key.removeprefix("degradation@") for key in named if key.startswith("degradation@")]


def defaults_list() -> list[Any]:
    return yaml.safe_load((CONFIG_DIR / "train.yaml").read_text())["defaults"]


CHOICES = [
    *(f"{group}={name}" for group in ("scale", "arm", "trainer", "logger", "metrics") for name in options(group)),
    *(f"degradation@cft={name}" for name in joint_names()),
]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_composes(name: str) -> None:
    folder = ["data.root=/x"] if name == "cft_photographs" else []
    config = compose_train([f"+experiment={name}", "hydra.mode=RUN", *folder])
    validate(config)
    assert config.study == name
    assert config.question.endswith("?")


def test_there_are_experiments_to_test() -> None:
    assert {"cft_sweep", "quickstart"} <= set(EXPERIMENTS)


@pytest.mark.parametrize("choice", CHOICES)
def test_every_option_of_every_group_composes_and_is_valid(choice: str) -> None:
    validate(compose_train([choice]))


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_composes_and_is_valid_wherever_images_are_degraded(name: str) -> None:
    places = ["cft.small_degradation", "cft.large_degradation", *(place for place in degraded() if place != "cft")]
    config = compose_train([f"degradation@{place}={name}" for place in places])
    validate(config)
    assert {attrgetter(place)(config).name for place in places} == {name}


@pytest.mark.parametrize("arm", ["coarse_fixed", "all_sampled"])
@pytest.mark.parametrize("name", options("scale"))
def test_an_arm_fuses_the_sizes_of_its_scale(name: str, arm: str) -> None:
    config = compose_train([f"scale={name}", f"arm={arm}"])
    validate(config)
    sizes = config.scale.feature_transformation
    assert config.scale.name == name
    assert config.cft.fused_sizes == (sizes.all_sizes if arm == "all_sampled" else sizes.coarse_sizes)


def test_folder_data_needs_its_root() -> None:
    data = compose_train(["data=folder", "data.root=/x"]).data
    assert isinstance(data, FolderSettings)
    assert data.root == "/x"
    with pytest.raises(UserError, match=r"data\.root"):
        compose_train(["data=folder"])


def test_experiment_stays_out_of_the_defaults_list() -> None:
    named = [entry if isinstance(entry, str) else next(iter(entry)) for entry in defaults_list()]
    assert not [name for name in named if "experiment" in name]
    own = [name for name in named if not name.startswith("override ")]  # which Hydra wants at the end
    assert (own[0], own[-1]) == ("train_schema", "_self_")


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("cft.adainn=1", "adainn"),
        ("sede=1", "sede"),
        ("trainer.device=2", "device"),
        ("scale.autoencoder.widht=8", "widht"),
        ("data.identites=3", "identites"),
    ],
)
def test_a_misspelt_key_fails_by_name(override: str, key: str) -> None:
    with pytest.raises(UserError, match=key):
        compose_train([override])


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("seed=abc", "seed=abc.*'abc' of type 'str' could not be converted to Integer"),
        ("cft.adain=maybe", "cft.adain=maybe.*bool"),
        ("vqgan.training.iterations=1.5", "iterations.*Integer"),
        ("scale=tiny63", "scale/tiny63"),
        ("+experiment=cft_sweeep", "experiment/cft_sweeep"),
    ],
)
def test_a_wrong_value_fails_by_name(override: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        compose_train([override])
    assert "\n" not in str(caught.value)


def test_a_misspelt_key_in_an_experiment_file_fails_by_name(tmp_path: Path) -> None:
    shutil.copytree(CONFIG_DIR, tmp_path / "conf")
    text = "# @package _global_\nstudy: typo\ncft:\n  training_fidelty: sampled\n"
    (tmp_path / "conf" / "experiment" / "typo.yaml").write_text(text)
    register()
    with (
        initialize_config_dir(str(tmp_path / "conf"), version_base="1.3"),
        pytest.raises(HydraException, match="training_fidelty"),
    ):
        typed(compose("train", overrides=["+experiment=typo"]))


def test_paper512_has_the_published_sizes() -> None:
    scale = compose_train(["scale=paper512"]).scale
    assert scale.autoencoder == published.AUTOENCODER_SIZE
    assert scale.code_predictor == published.CODE_PREDICTOR_SIZE
    assert scale.discriminator == published.DISCRIMINATOR_SIZE
    assert tuple(scale.feature_transformation.all_sizes) == published.FUSED_SIZES
    assert scale.diffusion_unet == published.DIFFUSION_UNET512_SIZE
    assert scale.swinir == published.SWINIR_SIZE
    assert scale.srcnn == SrcnnSize(downscale=8, width=64, depth=8)  # difface.md 2.4


def test_paper512_trains_difface_as_published() -> None:
    """difface.md 1.1, 3.1, 3.2 and 4."""
    config = compose_train(["scale=paper512"])
    prior, backbone = config.diffusion_prior, config.restoration_backbone
    assert prior.process == PUBLISHED
    assert (prior.objective, prior.bound_weight, prior.timestep_sampling) == ("hybrid", 1.0, "uniform")
    assert (prior.training.batch_size, prior.training.ema_decay, prior.training.gradient_clip) == (64, 0.999, 0)
    assert prior.flip_probability == 0
    assert (backbone.architecture, backbone.pixel_loss, backbone.perceptual) == ("swinir", "l1", 0)
    assert (backbone.training.iterations, backbone.training.batch_size) == (300_000, 32)
    assert (backbone.training.ema_decay, backbone.training.gradient_clip) == (0, 0)
    assert backbone.degradation.name == "difface"


@pytest.mark.parametrize("arm", ["swinir", "srcnn"])
@pytest.mark.parametrize("name", options("scale"))
def test_an_arm_of_difface_names_its_architecture_at_every_scale(name: str, arm: str) -> None:
    config = compose_train([f"scale={name}", f"arm={arm}"])
    validate(config)
    assert (config.stage, config.label, config.restoration_backbone.architecture) == ("restoration_backbone", arm, arm)
