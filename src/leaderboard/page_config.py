"""Configurations of many runs, stored as what most of them share and what each has of its own."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

Entry = tuple[tuple[str, ...], Any]
"""Path of keys and the value there: no mapping, or an empty one."""


def shared_config(configs: Sequence[Mapping[str, Any]]) -> list[Entry]:
    """The entries that more than half of the configurations have, by path."""
    counted: Counter[tuple[tuple[str, ...], str]] = Counter()
    values: dict[tuple[tuple[str, ...], str], Any] = {}
    for config in configs:
        for path, value in entries(config):
            key = (path, _text(value))
            counted[key] += 1
            values[key] = value
    return sorted((key[0], values[key]) for key, count in counted.items() if 2 * count > len(configs))


def own_config(config: Mapping[str, Any], shared: Sequence[Entry]) -> dict[str, Any]:
    """How a configuration differs from the shared entries: `set` (entries) and `unset` (paths), or itself as `whole`
    where that is shorter."""
    own = dict(entries(config))
    common = dict(shared)
    changed = {
        "set": [[list(path), value] for path, value in own.items() if path not in common or common[path] != value],
        "unset": [list(path) for path in common if path not in own],
    }
    whole = {"whole": dict(config)}
    return whole if len(_text(whole)) < len(_text(changed)) else changed


def entries(config: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> list[Entry]:
    """Every leaf of nested mappings with its path; an empty mapping is a leaf."""
    found: list[Entry] = []
    for name, value in config.items():
        path = (*prefix, str(name))
        found += entries(value, path) if isinstance(value, Mapping) and value else [(path, value)]
    return found


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
