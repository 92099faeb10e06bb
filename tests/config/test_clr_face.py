"""CLR-Face in the configuration: what a run's identity holds, what a stage builds on, what is refused."""

from functools import cache

import pytest

from src.config.arms import arms_of_stage
from src.config.compose import compose_train
from src.config.identity import arm_label, effective_config, run_name
from src.config.stage_order import upstream_of
from src.config.validate import validate
from src.settings.clr_face import LATENTS, SDES
from src.settings.commands import TrainConfig
from src.settings.errors import UserError


@cache
def composed(stage: str, *overrides: str) -> TrainConfig:
    return compose_train([f"stage={stage}", *overrides])


@pytest.mark.parametrize(
    ("stage", "idle"),
    [
        ("latent_score", ("latent_score.sde.sigma_max=9",)),
        ("latent_score", ("latent_score.sample_steps=3",)),
        ("latent_score", ("latent_score.sde.steps=500",)),
        ("latent_score", ("scale.latent_autoencoder.f8.width=64",)),
        ("latent_mask", ("latent_mask.step=0.7",)),
        ("latent_mask", ("scale.latent_mask.width=64",)),
        ("latent_mask", ("latent_mask.window=[0.1,0.6]",)),
        ("latent_mask", ("evaluation.guidance.every=5",)),
        ("identity_recovery", ("scale.restoration_unet.widths=[8,8]",)),
        ("guide_recogniser", ("scale.recogniser.width=48",)),
        ("latent_vqgan", ("latent_score.sde.kind=ve",)),
    ],
)
def test_what_changes_nothing_is_no_part_of_the_identity(stage: str, idle: tuple[str, ...]) -> None:
    assert effective_config(composed(stage)) == effective_config(composed(stage, *idle))


@pytest.mark.parametrize(
    ("stage", "change"),
    [
        ("latent_score", ("latent_score.sde.kind=ve",)),
        ("latent_score", ("latent_score.sde.beta_max=10",)),
        ("latent_score", ("latent_vqgan.latent=f8",)),
        ("latent_mask", ("latent_mask.kind=adaptive",)),
        ("latent_mask", ("guide.network=mobilefacenet",)),
        ("identity_recovery", ("identity_recovery.output=embedding",)),
        ("identity_recovery", ("guide.network=mobilefacenet",)),
        ("guide_recogniser", ("scale.mobile_recogniser.width=48",)),
        ("latent_vqgan", ("latent_vqgan.codebook.start=uniform",)),
        ("latent_vqgan", ("latent_vqgan.statistics_faces=7",)),
    ],
)
def test_what_changes_the_weights_changes_the_identity(stage: str, change: tuple[str, ...]) -> None:
    assert effective_config(composed(stage)) != effective_config(composed(stage, *change))


def test_a_codebook_that_starts_as_published_keeps_the_identity_of_older_runs() -> None:
    assert "start" not in effective_config(composed("vqgan"))["vqgan"]["codebook"]
    assert (
        effective_config(composed("vqgan", "vqgan.codebook.start=k_means"))["vqgan"]["codebook"]["start"] == "k_means"
    )


@pytest.mark.parametrize(
    ("stage", "overrides", "stages"),
    [
        ("latent_vqgan", (), ()),
        ("latent_encoder", (), ("latent_vqgan",)),
        ("latent_score", (), ("latent_vqgan", "latent_encoder")),
        (
            "latent_score",
            ("latent_score.condition=degraded_and_recovered",),
            ("latent_vqgan", "latent_encoder", "identity_recovery"),
        ),
        ("identity_recovery", (), ("guide_recogniser",)),
        ("identity_recovery", ("identity_recovery.identity=0",), ()),
        ("identity_recovery", ("guide.network=mobilefacenet",), ()),
        (
            "latent_mask",
            (),
            ("latent_vqgan", "latent_encoder", "latent_score", "guide_recogniser", "identity_recovery"),
        ),
    ],
)
def test_a_stage_builds_on_what_its_settings_need(
    stage: str, overrides: tuple[str, ...], stages: tuple[str, ...]
) -> None:
    assert upstream_of(composed(stage, *overrides), stage) == stages


def test_every_latent_and_every_process_has_an_arm_and_every_arm_is_valid() -> None:
    arms = [arm for stage in ("latent_vqgan", "latent_score", "latent_mask") for arm in arms_of_stage(stage)]
    configs = [compose_train([f"arm={arm}"]) for arm in arms]
    for arm, config in zip(arms, configs, strict=True):
        validate(config)
        assert arm_label(config) == config.label == arm
    assert {config.latent_vqgan.latent for config in configs if config.stage == "latent_vqgan"} == set(LATENTS)
    assert {config.latent_score.sde.kind for config in configs if config.stage == "latent_score"} == set(SDES)


def test_runs_are_named_by_what_tells_them_apart_and_records_not_by_another_stages_arm() -> None:
    names = {stage: run_name(composed(stage), "x") for stage in ("latent_vqgan", "latent_score", "guide_recogniser")}
    assert names == {
        "latent_vqgan": "tiny64-f4-s0-x",
        "latent_score": "tiny64-vp-s0-x",
        "guide_recogniser": "tiny64-mobile-s0-x",
    }
    assert arm_label(composed("latent_score")) == "latent_score"
    assert arm_label(composed("latent_score", "label=mine")) == "mine"


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (("latent_vqgan.latent=f64",), "latent_vqgan.latent: 'f64' is not one of f4, f8"),
        (("latent_vqgan.codebook.start=random",), "latent_vqgan.codebook.start: 'random' is not one of uniform"),
        (("scale.latent_autoencoder.f4.multipliers=[1,2]",), "shrink 2 times, not as the name f4 says"),
        (
            ("stage=latent_score", "latent_vqgan.latent=f32"),
            r"latent_unet.multipliers: .* shrink 4 times, by which the side 2",
        ),
        (("latent_score.sde.kind=sub_vp",), "latent_score.sde.kind: 'sub_vp' is not one of vp, ve, ddpm"),
        (("latent_score.sde.smallest_time=0",), "must lie between 0 and 1"),
        (("latent_score.sde.sigma_max=0.001",), "must rise from above 0"),
        (("identity_recovery.architecture=vit",), "identity_recovery.architecture: 'vit'"),
        (("latent_mask.window=[0.5,0.2]",), r"latent_mask\.window: \[0\.5, 0\.2\] must be"),
        (("latent_mask.gates=fuzzy",), "latent_mask.gates: 'fuzzy' is not one of soft"),
        (("latent_mask.initial=1",), "latent_mask.initial: 1.0 must lie in"),
        (("guide.network=facenet",), "guide.network: 'facenet' is not one of trained"),
        (("arm=clr_face", "guide_recogniser.architecture=resnet"), "guide by another one"),
        (("arm=clr_face", "evaluation.clr_face.guided.solver=[ddpm]"), "'ddpm' is not one of ddim"),
        (
            ("arm=score_ddpm", "evaluation.clr_face.unguided.solver=[heun]"),
            r"unguided\.solver: 'heun' is not one of ddim, ddpm",
        ),
        (("arm=clr_face", "evaluation.clr_face.guided.start=[0]"), r"start: 0.0 must lie in \(0, 1\]"),
        (("arm=clr_face", "evaluation.clr_face.guided.mask=[]"), "mask: \\[\\] must name at least one value"),
        (("arm=clr_face", "evaluation.clr_face.guided.target=[self]"), "'self' is not one of recovered, input, oracle"),
        (("arm=clr_face", "evaluation.guidance.window=[0.7,0.1]"), "must be \\[lowest, highest\\]"),
        (
            ("arm=clr_face", "latent_score.condition=degraded_and_recovered", "identity_recovery.output=embedding"),
            "needs a recovered face",
        ),
    ],
)
def test_what_cannot_work_is_refused_with_the_key(overrides: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        validate(compose_train(list(overrides)))
