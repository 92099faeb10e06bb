"""The knobs of a record: what is a setting of its arm, and what is merely a seed."""

from collections.abc import Iterable, Sequence
from typing import Any

from src.tracking.records import Record

_OF_ITS_OWN = ("seed", "fidelity")
"""Knobs that are no part of a setting: one is averaged over, the other has a field in the record."""

Setting = tuple[tuple[str, str], ...]
"""Knobs by name, in alphabetical order, with their values as text."""
Seed = int | str
"""Seed of the training or of the sampler; `1/7` where both were varied."""


def setting_of(record: Record) -> Setting:
    """Every knob of the method but its seed and the fidelity weight."""
    # Records of version 1 keep no knobs but these two.
    knobs = record.knobs or ({} if record.adain is None else {"adain": record.adain})
    return tuple(sorted((name, _text(value)) for name, value in knobs.items() if name not in _OF_ITS_OWN))


def seed_of(record: Record) -> int:
    """Seed of the sampler if the method has one, of the training otherwise."""
    seed = record.knobs.get("seed")
    return record.seed if seed is None else int(seed)


def seeds_of(records: Sequence[Record]) -> list[Seed]:
    """The seed that tells each record of a row from the others."""
    sampled = any(record.knobs.get("seed") is not None for record in records)
    if sampled and len({record.seed for record in records}) > 1:
        return [f"{record.seed}/{seed_of(record)}" for record in records]
    return [seed_of(record) for record in records]


def in_order(seeds: Iterable[Seed]) -> list[Seed]:
    """Each seed once, rising."""
    return sorted(set(seeds), key=lambda seed: [int(part) for part in str(seed).split("/")])


def varied(settings: Iterable[Setting]) -> tuple[str, ...]:
    """Names of the knobs whose value is not the same in all settings, or that some of them lack."""
    known = [dict(setting) for setting in settings]
    names = dict.fromkeys(name for setting in known for name in setting)
    return tuple(name for name in names if len({setting.get(name) for setting in known}) > 1)


def _text(value: Any) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)
