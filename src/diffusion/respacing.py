"""Respacing: the same noising process observed at fewer timesteps (Improved DDPM, section 4; difface.md 1.2)."""

from collections.abc import Sequence
from itertools import accumulate, pairwise, repeat

import numpy as np

from src.diffusion.schedule import NoiseSchedule
from src.settings.errors import UserError


def observed_at(schedule: NoiseSchedule, timesteps: Sequence[int]) -> NoiseSchedule:
    """The process at ascending indices of `schedule`: beta'_i = 1 - alpha_bar_i / alpha_bar_{i-1} of the kept ones.

    Raises ValueError if the indices do not ascend within the process.
    """
    if (
        not timesteps
        or timesteps[0] < 0
        or timesteps[-1] >= len(schedule)
        or any(b <= a for a, b in pairwise(timesteps))
    ):
        raise ValueError(f"timesteps must ascend within 0 to {len(schedule) - 1}")
    kept = np.asarray(timesteps)
    alphas_cumprod = schedule.alphas_cumprod[kept]
    betas = 1 - alphas_cumprod / np.append(1.0, alphas_cumprod[:-1])
    return NoiseSchedule(betas, schedule.timestep_map[kept])


def respaced(schedule: NoiseSchedule, spec: str) -> NoiseSchedule:
    """The process at `respaced_timesteps(spec)`."""
    return observed_at(schedule, respaced_timesteps(spec, len(schedule)))


def respaced_timesteps(spec: str, steps: int) -> list[int]:
    """Ascending timesteps of a published specification; "250" and "ddim250" of 1000 steps are different grids.

    "ddimK": every i-th step from 0 on, i the smallest integer that leaves K. "a,b,c": the process in equal sections,
    with a, b and c steps spread over each from its first to its last. Raises UserError for what cannot be met.
    """
    if spec.startswith("ddim"):
        return _every_ith(_number(spec, spec.removeprefix("ddim"), steps), steps)
    counts = [_number(spec, part, steps) for part in spec.split(",")]
    ends = list(accumulate(_section_sizes(len(counts), steps), initial=0))
    sections = zip(pairwise(ends), counts, strict=True)
    return [step for (first, end), count in sections for step in _spread(spec, first, end - first, count)]


def _number(spec: str, text: str, steps: int) -> int:
    if not (text.strip().isascii() and text.strip().isdigit() and 1 <= int(text) <= steps):
        raise UserError(
            f'respacing: "{spec}" is no respacing of {steps} steps; expected "K", "ddimK" or "a,b,c" with whole numbers '
            f"from 1 to {steps}"
        )
    return int(text)


def _every_ith(count: int, steps: int) -> list[int]:
    for stride in range(1, steps + 1):
        kept = range(0, steps, stride)
        if len(kept) == count:
            return list(kept)
    near = sorted({len(range(0, steps, stride)) for stride in range(1, steps + 1)}, key=lambda n: abs(n - count))[:4]
    possible = ", ".join(f"ddim{n}" for n in sorted(near))
    raise UserError(
        f'respacing: "ddim{count}" does not exist, for no whole stride leaves {count} of {steps} steps; the nearest that do '
        f'are {possible}; or write "{count}"'
    )


def _section_sizes(sections: int, steps: int) -> list[int]:
    return [steps // sections + (section < steps % sections) for section in range(sections)]


def _spread(spec: str, first: int, size: int, count: int) -> list[int]:
    if count > size:
        raise UserError(f'respacing: "{spec}" asks for {count} steps of a section of {size}; give 1 to {size} there')
    stride = (size - 1) / (count - 1) if count > 1 else 1.0
    # A running sum: where it ends near a half, its rounding error decides, in the published grids too.
    return [first + round(offset) for offset in accumulate(repeat(stride, count - 1), initial=0.0)]
