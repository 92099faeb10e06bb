"""Hairstyles as presets of the hair factors, and the draw of one."""

from collections.abc import Mapping

import numpy as np

from src.faces.factors import Colour, HairLook

_SHORT: Mapping[str, float] = {
    "present": 1.0, "top": 0.3, "side": 0.1, "edge": 0.3, "hairline": 0.0, "recede": 0.25, "fringe": 0.0, "skew": 0.0,
    "sideburn": 0.2, "opening": 1.2, "length": -4.0, "flare": 0.0, "wave": 0.1, "curl": 0.0, "part": 0.0, "fan": 0.3,
    "comb": 0.0, "density": 1.0,
}  # fmt: skip

STYLES: Mapping[str, Mapping[str, float]] = {
    "bald": {"present": 0.0},
    "receding": {"top": 0.02, "side": 0.1, "hairline": -1.0, "recede": 1.4, "density": 0.75},
    "buzz": {"top": 0.045, "side": 0.03, "edge": 0.6, "density": 0.82, "fan": 0.0, "curl": 0.25},
    "short": {"top": 0.42, "side": 0.16, "edge": 0.45},
    "side_part": {"top": 0.46, "side": 0.14, "part": 0.45, "fan": 0.8, "comb": 0.5, "edge": 0.5},
    "swept_back": {"top": 0.5, "side": 0.16, "edge": 0.55, "fan": 0.1, "recede": 0.4},
    "crop": {"top": 0.36, "side": 0.16, "fringe": 0.5, "edge": 0.7, "fan": 0.15, "skew": 0.1},
    "swept_fringe": {"top": 0.44, "side": 0.24, "fringe": 0.6, "skew": 0.45, "edge": 0.7, "comb": 0.9, "fan": 0.4},
    "curly": {"top": 0.42, "side": 0.28, "edge": 0.7, "curl": 0.75, "fringe": 0.15},
    "afro": {"top": 0.75, "side": 0.55, "edge": 0.8, "curl": 1.0, "recede": 0.1},
    "bob": {"length": 2.4, "top": 0.4, "side": 0.42, "edge": 0.35, "part": 0.3, "fan": 0.7, "opening": 1.0},
    "bob_fringe": {"length": 2.2, "top": 0.4, "side": 0.44, "edge": 0.8, "fringe": 0.95, "opening": 1.0, "fan": 0.2},
    "long": {"length": 5.2, "top": 0.33, "side": 0.36, "edge": 0.35, "part": 0.1, "fan": 0.8, "opening": 1.0},
    "long_fringe": {"length": 5.2, "top": 0.36, "side": 0.36, "edge": 0.8, "fringe": 0.9, "opening": 1.0, "fan": 0.3},
    "long_wavy": {
        "length": 4.8, "top": 0.42, "side": 0.55, "edge": 0.4, "part": 0.35, "fan": 0.7, "opening": 1.02, "wave": 0.8,
        "flare": 0.3, "curl": 0.12,
    },
    "long_curly": {
        "length": 4.0, "top": 0.42, "side": 0.55, "edge": 0.5, "part": 0.2, "fan": 0.6, "opening": 1.05, "wave": 0.6,
        "flare": 0.35, "curl": 0.7,
    },
    "tied_back": {"top": 0.12, "side": 0.08, "edge": 0.5, "fan": 0.0, "sideburn": 0.0, "recede": 0.15},
}  # fmt: skip

_MASCULINE = {
    "bald": 0.07, "receding": 0.05, "buzz": 0.15, "short": 0.2, "side_part": 0.15, "swept_back": 0.12, "crop": 0.08,
    "swept_fringe": 0.08, "curly": 0.07, "long": 0.03,
}  # fmt: skip
_FEMININE = {
    "bob": 0.15, "bob_fringe": 0.1, "long": 0.2, "long_fringe": 0.1, "long_wavy": 0.2, "long_curly": 0.08,
    "tied_back": 0.12, "swept_fringe": 0.05,
}  # fmt: skip


def _style_name(rng: np.random.Generator, masculine: float, age: float, depth: float) -> str:
    weights = dict(_MASCULINE if masculine > 0.5 else _FEMININE)
    if depth > 0.6:
        weights = {name: weight for name, weight in weights.items() if name not in ("side_part", "swept_fringe")}
        weights["afro"] = 0.12
        weights["curly" if masculine > 0.5 else "long_curly"] = 0.2
        weights["buzz"] = weights.get("buzz", 0.0) * 1.8
    if masculine > 0.5 and age > 0.5:
        weights["receding"] = 0.25
    total = sum(weights.values())
    return str(rng.choice(list(weights), p=[weight / total for weight in weights.values()]))


def draw_hair(
    rng: np.random.Generator, masculine: float, age: float, depth: float, root: Colour, tip: Colour
) -> HairLook:
    """The usual hair of a person: a preset with its own proportions."""
    values = dict(_SHORT) | dict(STYLES[_style_name(rng, masculine, age, depth)])
    side = 1.0 if rng.random() < 0.5 else -1.0
    for name, spread in {"top": 0.2, "side": 0.2, "fan": 0.15, "wave": 0.3, "length": 0.08}.items():
        values[name] *= 1.0 + spread * min(max(float(rng.standard_normal()), -1.5), 1.5)
    values["hairline"] += 0.1 * float(rng.standard_normal())
    values["recede"] *= 1.0 + 0.8 * age * masculine
    for name in ("part", "skew", "comb"):
        values[name] *= side
    return HairLook(root=root, tip=tip, texture=int(rng.integers(1 << 20)), **values)
