"""The three noising processes of the toy latents."""

from math import prod
from typing import Any

from src.diffusion.process import build_process
from src.settings.clr_face import SDES, SdeSettings
from tests.guidance.toy_latents import SHAPE

_USUAL: dict[str, Any] = {
    "beta_min": 0.1,
    "beta_max": 20.0,
    "smallest_time": 1e-3,
    "sigma_min": 0.01,
    "sigma_max": None,
}
_DISCRETE: dict[str, Any] = {"steps": 1000, "first_beta": 0.0015, "last_beta": 0.0195}
PROCESSES = {kind: build_process(SdeSettings(kind=kind, **_USUAL, **_DISCRETE), prod(SHAPE)) for kind in SDES}
