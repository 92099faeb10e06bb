"""Every wrong value of DifFace's settings is refused in one sentence with key, value and what is allowed."""

import re

import pytest

from src.config.compose import compose_train
from src.config.validate import validate
from src.settings.errors import UserError

GRID = "evaluation.difface.starts"
UNET, SWINIR, SRCNN = "scale.diffusion_unet", "scale.swinir", "scale.srcnn"
BETAS = "must rise between 0 and"

WRONG = {
    "diffusion_prior.objective=elbo": "diffusion_prior.objective: 'elbo' is not one of hybrid, simple",
    "diffusion_prior.timestep_sampling=all": "diffusion_prior.timestep_sampling: 'all' is not one of uniform, stratified",
    "diffusion_prior.bound_weight=0": "diffusion_prior.bound_weight: 0.0 must be greater than 0",
    "diffusion_prior.sample_steps=1000": "diffusion_prior.sample_steps: 1000 must lie in [1, 999]",
    "diffusion_prior.sample_steps=0": "diffusion_prior.sample_steps: 0 must lie in [1, 999]",
    "diffusion_prior.process.schedule=sigmoid": "diffusion_prior.process.schedule: 'sigmoid' is not one of linear, cosine",
    "diffusion_prior.process.first_beta=0": f"diffusion_prior.process: first_beta 0 and last_beta 0.02 {BETAS} 1",
    "diffusion_prior.process.last_beta=1": f"diffusion_prior.process: first_beta 0.0001 and last_beta 1 {BETAS} 1",
    "diffusion_prior.process.last_beta=1e-5": f"diffusion_prior.process: first_beta 0.0001 and last_beta 1e-05 {BETAS} 1",
    "diffusion_prior.training.gradient_clip=-1": "diffusion_prior.training.gradient_clip: -1.0 must lie in [0, inf]",
    "restoration_backbone.architecture=unet": "restoration_backbone.architecture: 'unet' is not one of swinir, srcnn",
    "restoration_backbone.pixel_loss=l3": "restoration_backbone.pixel_loss: 'l3' is not one of l1, l2",
    "restoration_backbone.perceptual=-1": "restoration_backbone.perceptual: -1.0 must lie in [0, inf]",
    "restoration_backbone.perceptual_network=vgg": "restoration_backbone.perceptual_network: 'vgg' is not one of auto,",
    "restoration_backbone.degradation.steps.jpeg.quality=[0,80]": "restoration_backbone.degradation: steps.jpeg.quality",
    f"{GRID}.solver=[ddim,euler]": f"{GRID}.solver: 'euler' is not one of ddim, ddpm, dpm_solver_pp, unipc",
    f"{GRID}.start=[400,1000]": f"{GRID}.start: 1000 must lie in [1, 999]",
    f"{GRID}.steps=[0]": f"{GRID}.steps: 0 must lie in [1, 200]",
    f"{GRID}.steps=[20,300]": f"{GRID}.steps: 300 must lie in [1, 200]",
    f"{GRID}.eta=[1.5]": f"{GRID}.eta: 1.5 must lie in [0, 1]",
    f"{GRID}.seed=[-1]": f"{GRID}.seed: -1 must be a whole number from 0 to 2**32 - 1",
    **{f"{GRID}.{key}=[]": f"{GRID}.{key}: [] must name" for key in ("solver", "start", "steps", "eta", "seed")},
    **{
        f"{key}={value}": f"{key}: {value} must be greater than 0"
        for key, value in [
            *((f"{UNET}.{name}", 0) for name in ("width", "head_width", "norm_groups")),
            (f"{UNET}.multipliers", []),
            (f"{UNET}.residual_blocks", [1, 0, 2, 2]),
            *((f"{SWINIR}.{name}", 0) for name in ("width", "window", "up_width")),
            (f"{SWINIR}.depths", [0, 2]),
            (f"{SRCNN}.width", 0),
        ]
    },
    "diffusion_prior.process.steps=0": "diffusion_prior.process.steps: 0 must be 2 or more",
    f"{UNET}.residual_blocks=[1,1]": f"{UNET}.residual_blocks: [1, 1] must have 4 entries, one for each multiplier",
    f"{UNET}.width=20": f"{UNET}.width: 20 must be even and a multiple of norm_groups 8",
    f"{UNET}.image_size=60": f"{UNET}.image_size: 60 must be a multiple of 8",
    f"{SWINIR}.image_size=128": f"{SWINIR}.image_size: 128 must be that of the scale, 64",
    f"{SRCNN}.width=33": f"{SRCNN}.width: 33 must be a multiple of downscale squared, 4",
    f"{GRID}.convention=mine": f"{GRID}.convention: 'mine' is not one of published, textbook",
    "diffusion_prior.flip_probability=2": "diffusion_prior.flip_probability: 2.0 must lie in [0, 1]",
    f"{UNET}.attention_sizes=[16,12]": f"{UNET}.attention_sizes: [12] are no resolutions of the network; allowed are [64,",
    f"{UNET}.head_width=48": f"{UNET}.head_width: 48 must divide 64, a width with attention",
    f"{SWINIR}.downscale=3": f"{SWINIR}.downscale: 3 must be a power of 2",
    f"{SWINIR}.window=6": f"{SWINIR}.window: image_size 64 must be a multiple of downscale x window, 24",
    f"{SWINIR}.heads=[4]": f"{SWINIR}.heads: [4] must have 2 entries, as depths has",
    f"{SWINIR}.heads=[5,4]": f"{SWINIR}.heads: [5] must divide width 48",
    f"{SWINIR}.drop_path=1": f"{SWINIR}.drop_path: 1.0 must lie in [0, 0.999]",
    f"{SRCNN}.downscale=1": f"{SRCNN}.downscale: 1 must be a power of 2 from 2 on that divides 64",
    f"{SRCNN}.depth=1": f"{SRCNN}.depth: 1 must be 2 or more",
}


@pytest.mark.parametrize(("override", "sentence"), WRONG.items())
def test_a_wrong_value_is_refused_with_key_value_and_range(override: str, sentence: str) -> None:
    with pytest.raises(UserError, match="(?m)^ *" + re.escape(sentence)):
        validate(compose_train(["arm=swinir", override]))


def test_a_grid_is_checked_where_it_is_evaluated() -> None:
    validate(compose_train([f"{GRID}.start=[1000]"]))
    with pytest.raises(UserError, match=r"steps: 1 must lie in \[2, 200\]"):
        validate(compose_train(["arm=swinir", f"{GRID}.steps=[1]", f"{GRID}.convention=published"]))


def test_a_backbone_under_the_name_of_another_arm_is_refused() -> None:
    with pytest.raises(UserError, match=r"arm=all_fixed; write arm=<one of srcnn, swinir>"):
        validate(compose_train(["stage=restoration_backbone"]))
    validate(compose_train(["stage=restoration_backbone", "label=mine"]))


def test_fewer_steps_scale_the_betas_and_their_bound() -> None:
    short = [
        "arm=swinir",
        "diffusion_prior.process.steps=100",
        "diffusion_prior.sample_steps=9",
        f"{GRID}.start=[40,99]",
    ]
    validate(compose_train(short))
    with pytest.raises(
        UserError, match=r"last_beta 0\.1 must rise between 0 and 0\.1, since 100 steps multiply them by 10"
    ):
        validate(compose_train([*short, "diffusion_prior.process.last_beta=0.1"]))
    validate(
        compose_train([*short, "diffusion_prior.process.last_beta=0.1", "diffusion_prior.process.schedule=cosine"])
    )
    with pytest.raises(UserError, match=r"starts\.start: 100 must lie in \[1, 99\]"):
        validate(compose_train([*short, f"{GRID}.start=[100]"]))
