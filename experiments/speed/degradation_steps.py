"""Where the time of a degraded face goes, step by step, in the public chain and in ours."""

import random
from pathlib import Path
from typing import Any

import cv2
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from experiments.speed import public_chain, public_draws
from experiments.speed.step_times import StepTimes
from src.checkpoints.files import atomic_path
from src.degradation.chain import chain_of
from src.degradation.codecs import encode_and_decode
from src.degradation.draw import draw
from src.degradation.filtering import blur_and_resize, resize_to_levels
from src.degradation.keyed import SampleKey
from src.degradation.levels_resize import round_levels
from src.degradation.noise import add_noise
from src.degradation.recipes import load_recipe

Steps = dict[str, float]
"""Milliseconds a face by step."""
ORDER = ("read", "decode", "float, flip", "draw, kernel", "blur, down", "noise", "JPEG", "up, round", "tensors")
OF_PUBLIC = {
    "read": "read",
    "decode": "decode",
    "float": "float, flip",
    "flip": "float, flip",
    "kernel": "draw, kernel",
    "blur": "blur, down",
    "down": "blur, down",
    "noise": "noise",
    "jpeg": "JPEG",
    "up": "up, round",
    "round": "up, round",
}


def steps_of_public(files: list[Path], ranges: public_draws.Ranges, rounds: int) -> Steps:
    """The public dataset from file to float tensors."""
    times, choice, numbers = StepTimes(), random.Random(0), np.random.RandomState(0)
    side = len(public_chain.stage_one(files[0], flip=False)["gt"][0])
    for _ in range(rounds):
        for file in files:
            with times("kernel"):
                parameters = public_draws.draw(ranges, choice, numbers, side)
            public_chain.stage_two(file, parameters, flip=choice.random() < 0.5, step=times)
    merged = dict.fromkeys(ORDER, 0.0)
    for name, seconds in times.seconds.items():
        merged[OF_PUBLIC.get(name, "tensors")] += 1e3 * seconds / (rounds * len(files))
    return merged


def steps_of_ours(source: Any, recipe: str, rounds: int) -> Steps:
    """A packed source to uint8 tensors; the kernel is made within the blur."""
    times, chain = StepTimes(), chain_of(load_recipe(recipe))
    faces = [source.image(index) for index in range(len(source))]
    for call in range(rounds + 1):
        if call == 1:
            times.seconds.clear()  # the first pass compiles
        for index, stored in enumerate(faces):
            key = SampleKey(0, call, index)
            with times("read"):
                face = stored.copy()
            with times("float, flip"):
                face = cv2.flip(face, 1) if index % 2 else face
            with times("draw, kernel"):
                kernel, down, noise, code, back = draw(chain, key, source.size)
            _one_face(times, face, (kernel, down, noise, code, back), key)
    return {name: 1e3 * times.seconds.get(name, 0.0) / (rounds * len(faces)) for name in ORDER}


def _one_face(times: StepTimes, face: np.ndarray, draws: tuple[Any, ...], key: SampleKey) -> None:
    kernel, down, noise, code, back = draws
    with times("blur, down"):
        small = blur_and_resize(face, kernel, down)
    with times("noise"):
        noisy = add_noise(small, noise, key)
    with times("JPEG"):
        coded = encode_and_decode(round_levels(noisy), code.codec, code.quality)
    with times("up, round"):
        round_levels(resize_to_levels(coded, back))


def step_table(steps: dict[str, tuple[Steps, Steps]]) -> str:
    """Milliseconds by step, before and after."""
    head = [f"{study}, {side}" for study in steps for side in ("public, PNG", "ours, packed")]
    rows = ["| step, mean ms | " + " | ".join(head) + " |", "| --- |" + " --- |" * len(head)]
    pairs = [side for pair in steps.values() for side in pair]
    for name in ORDER:
        rows.append(f"| {name} | " + " | ".join(f"{side[name]:.2f}" for side in pairs) + " |")
    rows.append("| total | " + " | ".join(f"{sum(side.values()):.2f}" for side in pairs) + " |")
    return "\n".join(rows)


def draw_figure(steps: dict[str, tuple[Steps, Steps]], path: Path) -> None:
    """Stacked bars of the time by step, before and after."""
    figure, axes = plt.subplots(figsize=(9, 2.9))
    colours = plt.get_cmap("tab10")
    labels = [f"{study}\n{side}" for study in steps for side in ("public, PNG", "ours, packed")]
    pairs = [side for pair in steps.values() for side in pair]
    left = np.zeros(len(pairs))
    for number, name in enumerate(ORDER):
        widths = np.array([side[name] for side in pairs])
        axes.barh(labels, widths, left=left, label=name, color=colours(number))
        left += widths
    for place, total in enumerate(left):
        axes.text(total, place, f" {total:.2f} ms", va="center", fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("mean ms a face of 512 px on one core")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=7, ncols=3, loc="lower right")
    figure.tight_layout()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
    plt.close(figure)
