"""The settings of guidance: what they allow, and when guidance acts."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from src.diffusion.schedule import NoiseSchedule
from src.guidance.guidance import guidance_of, process_part
from src.settings.clr_face import GuidanceSettings
from src.settings.errors import UserError
from tests.guidance.processes import PROCESSES

SETTINGS = GuidanceSettings(
    scale=0.3,
    mask="learned",
    target="recovered",
    gradient="cheap",
    constraint=0.0,
    window=[0.05, 0.7],
    every=1,
    limit=1.0,
)


def test_the_settings_file_is_one_way_to_guide(root: Any) -> None:
    values = OmegaConf.to_container(OmegaConf.load(root / "conf/stages/guidance.yaml"))
    assert isinstance(values, dict)
    guidance = guidance_of(GuidanceSettings(**{str(key): value for key, value in values.items()}))
    assert guidance.window == tuple(values["window"])
    assert guidance.acts(0.5, 0)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("scale", -0.1, "guidance.scale: -0.1 must be a number from 0 on"),
        ("scale", float("nan"), "guidance.scale: nan must be a number"),
        ("scale", [0.1, 0.3], r"guidance.scale: \[0.1, 0.3\] is no number"),
        ("scale", True, "guidance.scale: True is no number"),
        ("constraint", -1.0, "guidance.constraint: -1.0 must be a number from 0 on"),
        ("mask", "parsing", "guidance.mask: 'parsing' is not one of learned, learned_hard, ones"),
        ("mask", ["ones"], r"guidance.mask: \['ones'\] is not one of"),
        ("target", "clean", "guidance.target: 'clean' is not one of recovered, input, oracle"),
        ("gradient", "none", "guidance.gradient: 'none' is not one of cheap, full"),
        ("window", [0.7, 0.05], r"guidance.window: \[0.7, 0.05\] must be two ascending numbers from 0 to 1"),
        ("window", [0.1], r"guidance.window: \[0.1\] must be two"),
        ("window", [0.0, 1.5], "guidance.window: .* must be two"),
        ("every", 0, "guidance.every: 0 must be 1 or more"),
        ("limit", 0.0, "guidance.limit: 0.0 must be a number above 0"),
        ("limit", float("inf"), "guidance.limit: inf must be a number above 0"),
    ],
)
def test_what_is_out_of_range_is_refused(name: str, value: Any, sentence: str) -> None:
    values = {**vars(SETTINGS), name: value}
    with pytest.raises(UserError, match=sentence):
        guidance_of(GuidanceSettings(**values))


def test_window_and_cadence() -> None:
    guidance = replace(guidance_of(SETTINGS), window=(0.2, 0.6), every=2)
    acting = [number for number, part in enumerate((0.9, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)) if guidance.acts(part, number)]
    assert acting == [2, 4]
    assert not replace(guidance, scale=0).acts(0.5, 0)


def test_times_that_were_rounded_to_float32_are_still_in_the_window() -> None:
    for bound in np.linspace(0.05, 0.95, 19).tolist():
        guidance = replace(guidance_of(SETTINGS), window=(bound, bound))
        assert guidance.acts(float(np.float32(bound)), 0)
        assert not guidance.acts(bound + 1e-3, 0)


def test_part_of_the_process() -> None:
    schedule = NoiseSchedule.linear(50)
    assert [process_part(schedule, t) for t in (0, 24, 49)] == [0.02, 0.5, 1.0]
    assert process_part(PROCESSES["vp"], 0.25) == 0.25
