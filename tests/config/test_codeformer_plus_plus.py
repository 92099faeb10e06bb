"""CodeFormer++ in the configuration: what a run's identity holds, what a stage builds on, what is refused."""

from functools import cache

import pytest

from src.config.arms import arms_of_stage
from src.config.compose import compose_train
from src.config.identity import effective_config, run_name
from src.config.stage_order import upstream_of
from src.config.validate import validate
from src.settings.codeformer_plus_plus import METHODS
from src.settings.commands import TrainConfig
from src.settings.errors import UserError


@cache
def composed(*overrides: str) -> TrainConfig:
    return compose_train(["stage=texture_fusion", "texture_fusion.identity=0", *overrides])


def same(first: tuple[str, ...], second: tuple[str, ...]) -> bool:
    """Whether two configurations have one identity, as far as the configuration tells."""
    return effective_config(composed(*first)) == effective_config(composed(*second))


@pytest.mark.parametrize(
    "idle",
    [
        "registration.method.ridge=0.5",
        "registration.method.updates=3",
        "texture_fusion.offset_rate=0.7",
        "texture_fusion.metric_learning.temperature=0.5",
        "texture_fusion.metric_learning.cutoff=3",
        "branches.sampling.steps=7",
        "registration.objective.window=21",
    ],
)
def test_what_changes_nothing_is_no_part_of_the_identity(idle: str) -> None:
    """The objective of a learned registration counts by the hash of its weights."""
    assert same((), (idle,))


@pytest.mark.parametrize(
    "change",
    [
        ("registration.method.kind=none",),
        ("texture_fusion.injection=sft",),
        ("texture_fusion.metric_learning.margin=0.3",),
        ("branches.identity_fidelity=0.7",),
        ("branches.draws=fresh",),
        ("degradation@branches.degradation=x8",),
        ("branches.generative=bicubic",),
    ],
)
def test_what_changes_the_weights_changes_the_identity(change: tuple[str, ...]) -> None:
    assert not same((), change)


def test_a_registration_that_is_trained_on_is_so_with_its_objective() -> None:
    joint = "texture_fusion.registration_rate=0.1"
    assert not same((joint,), (joint, "registration.objective.regulariser_weight=5"))
    assert same((joint,), (joint, "registration.objective.noise=5"))


def test_the_objective_of_a_registration_is_part_of_its_own_identity() -> None:
    found = [
        effective_config(compose_train(["stage=registration", *change]))
        for change in ([], ["registration.objective.window=21"], ["registration.objective.decay=0.5"])
    ]
    assert found[0] != found[1]
    assert found[0] == found[2]
    assert run_name(compose_train(["stage=registration"]), "0" * 10) == "tiny64-dense-s0-0000000000"


@pytest.mark.parametrize(
    ("overrides", "stages"),
    [
        ((), ("cft", "registration")),
        (("registration.method.kind=none",), ("cft",)),
        (("registration.method.kind=moving_least_squares",), ("cft", "landmark_detector")),
        (("texture_fusion.identity=0.1",), ("cft", "registration", "guide_recogniser")),
        (
            ("texture_fusion.registration_rate=0.1", "registration.objective.landmarks=1"),
            ("cft", "landmark_detector", "registration"),
        ),
        (("texture_fusion.metric_learning.mask=landmarks",), ("cft", "landmark_detector", "registration")),
        (("data=folder", "data.root=faces", "registration.method.kind=affine_landmarks"), ("cft",)),
    ],
)
def test_the_fusion_builds_on_what_its_settings_need(overrides: tuple[str, ...], stages: tuple[str, ...]) -> None:
    assert upstream_of(composed(*overrides), "texture_fusion") == stages


def test_every_method_has_an_arm_and_every_arm_is_valid() -> None:
    kinds = set()
    for arm in arms_of_stage("texture_fusion"):
        config = compose_train([f"arm={arm}"])
        validate(config)
        assert config.label == arm
        kinds.add(config.registration.method.kind)
    assert kinds == set(METHODS)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (("registration.method.kind=spline",), "registration.method.kind: 'spline' is not one of none"),
        (("stage=registration", "registration.method.kind=none"), "has nothing to train"),
        (("registration.objective.window=4",), "window: 4 must be odd"),
        (("registration.objective.inverse=1",), "inverse: 1.0 is a term of the method velocity alone, not of dense"),
        (
            ("trainer.degradation=device", "branches.draws=fresh", "degradation@branches.degradation=second_order"),
            r"branches\.degradation",
        ),
        (("registration.objective.blur=[1]",), r"blur: \[1.0\] must be two deviations"),
        (("texture_fusion.injection=magic",), "texture_fusion.injection: 'magic'"),
        (
            ("texture_fusion.alignment=flow_guided_deformable", "registration.method.kind=none"),
            "flow_guided_deformable needs a field",
        ),
        (("texture_fusion.registration_rate=0.1", "registration.method.kind=none"), "trains nothing"),
        (("texture_fusion.metric_learning.negatives=[]",), "must name at least one"),
        (("texture_fusion.metric_learning.negatives=[night]",), "'night' is not one of"),
        (("branches.generative=difface",), r"branches\.checkpoint: not given"),
        (("branches.checkpoint=somewhere",), "is not used by branches.generative=codeformer"),
        (
            ("data=folder", "data.root=faces", "texture_fusion.metric_learning.mask=exact"),
            "known of rendered faces only",
        ),
        (("scale.texture_fusion.widths=[16,30]",), "norm_groups: 8 must divide every width"),
        (("scale.dense_registration.decoder_widths=[8]",), "must have 3 entries"),
        (("scale.pyramid_registration.levels=9",), "shrinks faces 256 times"),
        (("landmark_detector.movement=0.2",), r"landmark_detector.movement: 0.2 must lie in \[0, 0.0625\]"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_the_key(overrides: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        validate(composed(*overrides))
