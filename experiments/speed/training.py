"""How fast the stages train, and where a step's time goes.

python -m experiments.speed.training                                   CodeFormer's three stages at 128 px
python -m experiments.speed.training --side 512 --batch 1 --rounds 2   at full size
python -m experiments.speed.training --stages all --only flops         what a step of every stage computes, on no device
python -m experiments.speed.training --device cuda --side 512 --batch 16 --precision bf16 --workers 4
python -m experiments.speed.training --scale tiny64 --side 64 --batch 2 --rounds 1   to see that the script works

Prints tables in Markdown. All networks have random weights, also the perceptual one (LPIPS with VGG-16), so that nothing is
fetched; every loss acts, and the target codes of stages II and III are cached. Three tables:

flops   a step of one face by part at the scale's own size, counted on the meta device without weights or memory, and in the
        order of the public code: separate passes for the adaptive weight, target codes made in every step
steps   medians over the rounds: a step by part, images a second, what the loop waits for faces, growth of memory. The
        faces come from a memory-mapped store through the training's own loader. On a GPU the parts come from steps in which
        the host waits at every border; the step's time and images a second come from steps without.
ratios  ways that do the same, alternated in one process, and what Lightning's loop adds

Pin the process to quiet cores for figures to keep; the first row says on what they were taken.
"""

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch

from experiments.speed.bare_loop import BareLoop
from experiments.speed.lightning_overhead import overhead_line
from experiments.speed.speed_faces import MappedFaces, PngFaces, make_files
from experiments.speed.step_parts import PARTS, PartSeconds, now
from experiments.speed.training_flops import MOST_GIGAFLOPS, step_flops
from experiments.speed.training_ratios import RATIO_HEAD, all_ratios
from experiments.speed.training_stages import BUILDERS, CODEFORMER, moved, random_stage, random_targets, training_config
from src.data.damage import Stop
from src.data.datamodule import FaceDataModule
from src.data.training_set import DegradedFaces, Sampling
from src.jobs.build_stage import degradation_plan
from src.jobs.peak_memory import MemoryGrowth
from src.memory import keep_freed_memory
from src.restorers.device import torch_device
from src.settings.commands import TrainConfig
from src.stages.stage import Batch
from src.tracking.provenance import git_commit, hardware, package_versions

TABLES = ("flops", "steps", "ratios")
FACES = 32
WARM_STEPS = 2
H200_BF16 = 790.0
"""TFLOP/s, the peak that performance.md reckons with."""


@dataclass
class Measured:
    """Medians of one stage, in seconds a step."""

    parts: dict[str, float]
    step: float
    """Without the wait for faces."""
    wait: float
    megabytes: float | None


def main() -> None:
    """Print the tables, and the facts that a reader needs to repeat them."""
    chosen = _options()
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    device = torch_device(chosen.device)
    keep_freed_memory()
    commit, changed = git_commit()
    facts = {"command": " ".join(sys.argv[1:]), "commit": commit, "uncommitted_changes": changed}
    facts |= {"threads": torch.get_num_threads(), "torch": package_versions().get("torch")}
    print(json.dumps(facts | hardware(), indent=2))
    stages = list(BUILDERS) if chosen.stages == ["all"] else chosen.stages
    if "flops" in chosen.only:
        print_flops(stages, chosen.scale)
    if "steps" in chosen.only:
        print_steps(stages, chosen, device)
    if "ratios" in chosen.only:
        print_ratios(chosen, device)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", nargs="+", choices=(*BUILDERS, "all"), default=list(CODEFORMER), metavar="STAGE")
    parser.add_argument("--scale", default="paper512")
    parser.add_argument("--side", type=int, default=128, help="of the faces that are timed; FLOPs are the scale's own")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--workers", type=int, default=0, help="processes that degrade faces; 0 does it between steps")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 leaves the library's choice")
    parser.add_argument("--peak", type=float, default=H200_BF16, help="TFLOP/s of the GPU, for its share")
    return parser.parse_args()


def print_flops(stages: list[str], scale: str) -> None:
    """GFLOP a face of a step, by part."""
    print(f"\nGFLOP a face of one training step, networks of {scale}\n")
    counted = [part for part in PARTS if part not in ("optimizer", "weight_average")]
    _print_row("stage", *counted, "total", "target", "public order", "ratio")
    _print_row(*["---"] * (len(counted) + 5))
    for stage in stages:
        flops = step_flops(stage, scale, None)
        parts = [f"{flops.get(part, 0) / 1e9:.0f}" for part in counted]
        target = f"<= {MOST_GIGAFLOPS[stage]}" if scale == "paper512" and stage in MOST_GIGAFLOPS else ""
        total, public = (sum(found.values()) / 1e9 for found in (flops, step_flops(stage, scale, None, public=True)))
        _print_row(stage, *parts, f"{total:.1f}", target, f"{public:.1f}", f"{public / total:.2f}x")


def print_steps(stages: list[str], chosen: argparse.Namespace, device: torch.device) -> None:
    """Milliseconds of a step by part, images a second, wait, memory."""
    setting = f"{chosen.side} px, batch {chosen.batch}, {chosen.precision}, {device}"
    print(f"\nMilliseconds of a step at {setting}, medians of {chosen.rounds} steps\n")
    shares = ["TFLOP/s", "of peak"] if device.type == "cuda" else []
    _print_row("stage", *PARTS, "step", "wait for data", "images/s", "memory MiB", *shares)
    _print_row(*["---"] * (len(PARTS) + 5 + len(shares)))
    for stage in stages:
        config = training_config(stage, chosen.scale, chosen.side, chosen.batch)
        measured = measured_steps(config, chosen, device)
        parts = [f"{1e3 * measured.parts.get(part, 0):.1f}" for part in PARTS]
        rate = chosen.batch / (measured.step + measured.wait)
        memory = "" if measured.megabytes is None else f"{measured.megabytes:.0f}"
        used = _share_of_peak(stage, chosen, rate) if shares else []
        _print_row(
            stage, *parts, f"{1e3 * measured.step:.1f}", f"{1e3 * measured.wait:.1f}", f"{rate:.2f}", memory, *used
        )


def measured_steps(config: TrainConfig, chosen: argparse.Namespace, device: torch.device) -> Measured:
    """The stage's steps on faces from the training's own loader."""
    growth = MemoryGrowth(device)
    stage = random_stage(config).to(device)
    if device.type == "cuda":
        stage.to(memory_format=torch.channels_last)  # as trainer=gpu does
    loop, parts = BareLoop(stage, precision=chosen.precision), PartSeconds(device)
    growth.start()
    steps, waits = [], []
    with _batches(config, chosen, device) as batches:
        for number in range(WARM_STEPS + 2 * chosen.rounds):
            start = now(device)
            batch = next(batches)
            given = now(device)
            split = number % 2 == 1
            with parts.step() if split else contextlib.nullcontext():
                loop.step(batch)
            if number >= WARM_STEPS:
                waits.append(given - start)
                if not split:
                    steps.append(now(device) - given)
    assert loop.is_finite()
    split_steps = parts.steps[WARM_STEPS // 2 :]
    by_part = {part: median(step[part] for step in split_steps) for part in PARTS}
    return Measured(by_part, median(steps), median(waits), growth.megabytes())


@contextlib.contextmanager
def _batches(config: TrainConfig, chosen: argparse.Namespace, device: torch.device) -> Iterator[Iterator[Batch]]:
    """Batches as the trainer hands them on: degraded in the loader, normalised on the device, with cached codes."""
    side, steps = chosen.side, WARM_STEPS + 2 * chosen.rounds
    with tempfile.TemporaryDirectory() as folder:
        files = make_files(Path(folder), FACES, side)
        source = MappedFaces(PngFaces(files, side), Path(folder) / "faces.bin")
        data = FaceDataModule(
            DegradedFaces(source, degradation_plan(config), Sampling(0, 0.5, Stop())),
            batch_size=chosen.batch,
            iterations=steps,
            seed=0,
            workers=chosen.workers,
            channels_last=device.type == "cuda",
        )
        yield _handed_over(data, config, chosen.batch, device)


def _handed_over(data: FaceDataModule, config: TrainConfig, count: int, device: torch.device) -> Iterator[Batch]:
    for batch in data.loader(start=0, rank=0, world_size=1):
        yield data.on_after_batch_transfer(moved(batch, device), 0) | moved(random_targets(config, count), device)


def _share_of_peak(stage: str, chosen: argparse.Namespace, rate: float) -> list[str]:
    teraflops = rate * sum(step_flops(stage, chosen.scale, chosen.side).values()) / 1e12
    return [f"{teraflops:.0f}", f"{100 * teraflops / chosen.peak:.0f} %"]


def print_ratios(chosen: argparse.Namespace, device: torch.device) -> None:
    """The alternated ways, and Lightning's share."""
    setting = f"{chosen.side} px, batch {chosen.batch}, {device}"
    print(f"\nAlternated in one process: {setting}, medians of {chosen.rounds} rounds\n")
    print(RATIO_HEAD)
    for ratio in all_ratios(chosen.scale, chosen.side, chosen.batch, chosen.rounds, device):
        print(ratio.row())
    print("\n" + overhead_line("vqgan", "tiny64", chosen.rounds))


def _print_row(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
