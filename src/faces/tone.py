"""From linear light to 8-bit display values: soft highlights, gamma, contrast and colour of the camera."""

import numpy as np

from src.compiled import inline
from src.faces.factors import Camera, Colour
from src.faces.falloff import clamp, mix

_ENTRIES = 2048
_TOP = 2.5


def _curve() -> np.ndarray:
    light = np.linspace(0.0, _TOP, _ENTRIES)
    knee = np.where(light < 0.6, light, 0.6 + (1.0 - np.exp(-(light - 0.6) / 0.42)) * 0.42)
    return np.clip(knee, 0.0, 1.0) ** (1.0 / 2.2)


_CURVE = _curve()


@inline
def _display(light: float, contrast: float) -> float:
    position = clamp(light, 0.0, _TOP - 1e-6) * ((_ENTRIES - 1) / _TOP)
    i = int(position)
    value = mix(_CURVE[i], _CURVE[i + 1], position - i)
    return mix(value, value * value * (3.0 - 2.0 * value), contrast)


@inline
def develop(light: Colour, u: float, v: float, camera: Camera) -> Colour:
    """Display values in [0, 1] of linear light at (u, v) in [0, 1] of the picture."""
    fall = 1.0 - camera.vignette * ((u - 0.5) ** 2 + (v - 0.5) ** 2)
    r, g, b = light[0] * camera.gain[0] * fall, light[1] * camera.gain[1] * fall, light[2] * camera.gain[2] * fall
    grey = 0.3 * r + 0.6 * g + 0.1 * b
    s = camera.saturation
    return (
        _display(mix(grey, r, s), camera.contrast),
        _display(mix(grey, g, s), camera.contrast),
        _display(mix(grey, b, s), camera.contrast),
    )
