"""How fast training faces are degraded, against the public datasets on the same files.

python -m experiments.speed.degradation                          48 rendered faces with grain at 512 px
python -m experiments.speed.degradation --images DIR             PNGs of your own (square, one size)
python -m experiments.speed.degradation --side 64 --count 4 --rounds 1   to see that the script works

One process, one core, one thread; for every face all ways run one after the other, so that a busy machine slows all of
them. `public` is experiments/speed/public_chain.py with draws of its own; the other ways are `DegradedFaces[key]`, the
dataset that a training reads, up to the tensors that leave the loader. Ratios are of mean times. Equality is measured on
the draws of the suite, given to both. With a CUDA device the batched engine is timed too.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from experiments.speed import public_chain, public_draws
from experiments.speed.degradation_equality import equality_table
from experiments.speed.degradation_steps import draw_figure, step_table, steps_of_ours, steps_of_public
from experiments.speed.speed_faces import MappedFaces, PngFaces, make_files
from src.data.damage import Stop
from src.data.datamodule import FaceDataModule
from src.data.image_file import read_rgb
from src.data.levels import network_planes
from src.data.plan import Always, DegradationPlan, ImageOrCode
from src.data.stream import Key
from src.data.training_set import DegradedFaces, Sample, Sampling
from src.degradation.batch import degrade_batch
from src.degradation.chain import chain_of
from src.degradation.keyed import SampleKey
from src.degradation.recipes import load_joint, load_recipe
from src.memory import keep_freed_memory
from src.settings.stages import FidelityPhase
from src.tracking.provenance import git_commit, hardware, package_versions

PHASES = [
    FidelityPhase(until=80_000, image_every=1, fidelity=1.0),
    FidelityPhase(until=120_000, image_every=0, fidelity=0.0),
    FidelityPhase(until=150_000, image_every=15, fidelity=1.3),
]
"""The published schedule of stage III (codeformer.md 2.3)."""
SAMPLING = Sampling(seed=0, flip_probability=0.5, damage=Stop())
TARGETS = {
    ("stage II", "PNG, float out"): 3.8,
    ("stage III small", "PNG, float out"): 3.0,
    ("stage II", "packed, uint8 out"): 18,
    ("stage III small", "packed, uint8 out"): 7.5,
    ("stage III joint", "packed, uint8 out, both"): 8,
    ("stage III joint", "packed, uint8 out, needed one"): 11,
    ("GFPGAN v1", "packed, uint8 out"): 6,
}
"""Ratios of performance.md, targets 1, 2, 3 and 6."""


@dataclass
class Way:
    """One way to make a sample, and the seconds of each call."""

    name: str
    sample: Callable[[int, int], Any]
    """Takes a face and a count of calls."""
    seconds: list[float] = field(default_factory=list)

    @property
    def mean(self) -> float:
        """Milliseconds a face."""
        return 1e3 * float(np.mean(self.seconds))

    @property
    def median(self) -> float:
        """Milliseconds a face."""
        return 1e3 * float(np.median(self.seconds))


def floats(sample: Sample) -> dict[str, torch.Tensor]:
    """The sample as the public datasets hand it over: float32 planes in [-1, 1]."""
    return {name: torch.from_numpy(network_planes(sample[name].numpy())) for name in ("hq", "lq")}


def key_of(face: int, call: int, iteration: int = 1) -> Key:
    """A new key for every call."""
    return Key(iteration, call, face)


def ours(source: PngFaces, plan: DegradationPlan, as_floats: bool = False) -> Callable[[int, int], Any]:
    """A sample of the training's dataset."""
    faces = DegradedFaces(source, plan, SAMPLING)
    if as_floats:
        return lambda face, call: floats(faces[key_of(face, call)])
    return lambda face, call: faces[key_of(face, call)]


def ours_both(source: PngFaces) -> Callable[[int, int], Any]:
    """Both degraded copies of stage III."""
    small, large = (
        DegradedFaces(source, Always(chain_of(recipe)), SAMPLING) for recipe in load_joint("codeformer_joint")
    )
    return lambda face, call: (small[key_of(face, call)], large[key_of(face, call)])


def ours_joint(source: PngFaces) -> Callable[[int, int], Any]:
    """The degraded copy that an iteration of the published schedule uses; iterations are drawn uniformly."""
    plan = ImageOrCode(PHASES, *(chain_of(recipe) for recipe in load_joint("codeformer_joint")))
    faces = DegradedFaces(source, plan, SAMPLING)
    iterations = np.random.default_rng(0).integers(1, PHASES[-1].until + 1, 4096).tolist()
    return lambda face, call: faces[key_of(face, call, iterations[(call * len(faces) + face) % 4096])]


class Public:
    """The public datasets with generators of their own."""

    def __init__(self, files: list[Path], side: int) -> None:
        self._files, self._side = files, side
        self._choice, self._numbers = random.Random(0), np.random.RandomState(0)

    def parameters(self, ranges: public_draws.Ranges) -> public_draws.Parameters:
        """One draw."""
        return public_draws.draw(ranges, self._choice, self._numbers, self._side)

    def stage_two(self, ranges: public_draws.Ranges, face: int, call: int) -> Any:
        """Stage II, and stage III with one degradation."""
        return public_chain.stage_two(self._files[face], self.parameters(ranges), flip=self._flip())

    def joint(self, face: int, call: int) -> Any:
        """Stage III as it is trained: both."""
        small, large = self.parameters(public_draws.SMALL), self.parameters(public_draws.LARGE)
        return public_chain.stage_three_joint(self._files[face], small, large, flip=self._flip())

    def gfpgan(self, face: int, call: int) -> Any:
        """GFPGAN v1."""
        parameters, colour = self.parameters(public_draws.GFPGAN), public_draws.draw_colour(self._numbers)
        return public_chain.gfpgan_v1(self._files[face], parameters, colour, flip=self._flip())

    def _flip(self) -> bool:
        return self._choice.random() < 0.5


def studies(png: PngFaces, packed: MappedFaces) -> dict[str, list[Way]]:
    """The ways of each public dataset, the public one first."""
    public = Public(png.files, png.size)
    large, small, colour = (
        Always(chain_of(load_recipe(name))) for name in ("codeformer_large", "codeformer_small", "gfpgan")
    )
    single = {
        "stage II": (partial(public.stage_two, public_draws.LARGE), large),
        "stage III small": (partial(public.stage_two, public_draws.SMALL), small),
        "GFPGAN v1": (public.gfpgan, colour),
    }
    ways = {
        name: [
            Way("public", reference),
            Way("PNG, float out", ours(png, plan, as_floats=True)),
            Way("PNG, uint8 out", ours(png, plan)),
            Way("packed, float out", ours(packed, plan, as_floats=True)),
            Way("packed, uint8 out", ours(packed, plan)),
        ]
        for name, (reference, plan) in single.items()
    }
    ways["stage III joint"] = [
        Way("public", public.joint),
        Way("packed, uint8 out, both", ours_both(packed)),
        Way("packed, uint8 out, needed one", ours_joint(packed)),
    ]
    return ways


def measure(ways: list[Way], faces: int, rounds: int) -> None:
    """Every way on every face, alternated; a first round is not counted."""
    for call in range(rounds + 1):
        for face in range(faces):
            for way in ways:
                started = time.perf_counter()
                way.sample(face, call)
                if call:
                    way.seconds.append(time.perf_counter() - started)


def speed_table(measured: dict[str, list[Way]], size: int) -> str:
    """A row a way: times, images a second and the ratio to the public dataset; at 512 px, the target if there is one."""
    rows = [
        "| dataset | way | median ms | mean ms | images/s | ratio | target |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for study, ways in measured.items():
        for way in ways:
            ratio, target = ways[0].mean / way.mean, TARGETS.get((study, way.name)) if size == 512 else None
            asked = "" if target is None else f"{target:g} {'reached' if ratio >= target else 'MISSED'}"
            rows.append(
                f"| {study} | {way.name} | {way.median:.2f} | {way.mean:.2f} | {1e3 / way.mean:.0f} | {ratio:.1f} | {asked} |"
            )
    return "\n".join(rows)


def loader_line(packed: MappedFaces, rounds: int) -> str:
    """Images a second that arrive in the training's process, in batches, from loader processes."""
    found = []
    for workers in (1, 2):
        data = FaceDataModule(
            DegradedFaces(packed, Always(chain_of(load_recipe("codeformer_large"))), SAMPLING),
            batch_size=16,
            iterations=20 * rounds,
            seed=0,
            workers=workers,
            channels_last=False,
        )
        batches = iter(data.loader(start=0, rank=0, world_size=1))
        for _ in range(10 * rounds):
            next(batches)  # the processes start, and read compiled code
        started, count = time.perf_counter(), 0
        for batch in batches:
            count += len(batch["keys"])
        found.append(f"{workers} worker{'s' if workers > 1 else ''} {count / (time.perf_counter() - started):.0f}")
    return "Through a loader (stage II, packed, batches of 16), images/s: " + ", ".join(found)


def device_line(png: PngFaces, batch: int = 64, rounds: int = 20) -> str:
    """Images a second of the batched engine on a CUDA device, mixed sizes in the batch."""
    if not torch.cuda.is_available():
        return "Batched engine: not measured, there is no CUDA device."
    hq = (
        torch.from_numpy(np.stack([png.image(i % len(png)) for i in range(batch)]))
        .permute(0, 3, 1, 2)
        .contiguous()
        .cuda()
    )
    lines = []
    for name in ("codeformer_large", "codeformer_small"):
        chain = chain_of(load_recipe(name))
        for call in range(rounds + 3):
            if call == 3:
                torch.cuda.synchronize()
                started = time.perf_counter()
            degrade_batch(hq, chain, [SampleKey(0, call, face) for face in range(batch)])
        torch.cuda.synchronize()
        lines.append(f"{name} {batch * rounds / (time.perf_counter() - started):.0f} images/s")
    return f"Batched engine on {torch.cuda.get_device_name()}, batches of {batch}: " + ", ".join(lines)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="folder of square PNGs of one size; default: rendered faces")
    parser.add_argument("--side", type=int, default=512, help="side of rendered faces, pixels")
    parser.add_argument("--count", type=int, default=48, help="faces")
    parser.add_argument("--rounds", type=int, default=3, help="passes over the faces")
    parser.add_argument("--figure", type=Path, help="PNG of the time by step")
    return parser.parse_args()


def main() -> None:
    """Print the tables."""
    args = arguments()
    # As a loader process of the suite does.
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = (
            sorted(args.images.glob("*.png"))[: args.count]
            if args.images
            else make_files(folder, args.count, args.side)
        )
        png = PngFaces(files, len(read_rgb(files[0])))
        packed = MappedFaces(png, folder / "images.bin")
        measured = studies(png, packed)
        for ways in measured.values():
            measure(ways, len(png), args.rounds)
        commit, dirty = git_commit()
        kilobytes = np.mean([file.stat().st_size for file in files]) / 1e3
        print(f"commit {commit[:10]}{' with changes' if dirty else ''}; {hardware()}; {package_versions()}")
        print(f"{len(png)} PNGs of {png.size} px, {kilobytes:.0f} KB on average, {args.rounds} rounds\n")
        print(speed_table(measured, png.size), equality_table(png, args.rounds), sep="\n\n")
        steps = {
            study: (steps_of_public(files, ranges, args.rounds), steps_of_ours(png, recipe, args.rounds))
            for study, ranges, recipe in (
                ("stage II", public_draws.LARGE, "codeformer_large"),
                ("stage III small", public_draws.SMALL, "codeformer_small"),
            )
        }
        print("\n" + step_table(steps), loader_line(packed, args.rounds), device_line(png), sep="\n\n")
        if args.figure:
            draw_figure(steps, args.figure)


if __name__ == "__main__":
    main()
