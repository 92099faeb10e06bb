"""Reads what an offline W&B run wrote, by the description in conventions.md 5.3 alone."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HEADER, BLOCK, HEAD = 7, 32 * 1024, 7
FULL, FIRST, LAST = 1, 2, 4


def payloads(data: bytes) -> Iterator[bytes]:
    """The records of a transaction log as bytes."""
    assert data[:4] == b":W&B"
    position, parts = HEADER, []
    while position + HEAD <= len(data):
        if BLOCK - position % BLOCK < HEAD:
            position += BLOCK - position % BLOCK
            continue
        _, length, kind = struct.unpack_from("<IHB", data, position)
        position += HEAD
        parts.append(data[position : position + length])
        position += length
        if kind in (FULL, LAST):
            yield b"".join(parts)
            parts = []


def messages(path: Path) -> list[Any]:
    """The records by the installed schema."""
    from wandb.proto.wandb_internal_pb2 import Record

    found = []
    for payload in payloads(path.read_bytes()):
        record = Record()
        record.ParseFromString(payload)
        found.append(record)
    return found


def items(message: Any, field: str = "item") -> dict[str, Any]:
    """Keys and values of a history row, or of an update of the configuration or the summary."""
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in getattr(message, field)}


def summary_of(records: list[Any]) -> dict[str, Any]:
    """The summary after all updates."""
    updates = (items(record.summary, "update") for record in records if record.HasField("summary"))
    return {key: value for update in updates for key, value in update.items()}


def config_of(records: list[Any]) -> dict[str, Any]:
    """The configuration after all updates."""
    found: dict[str, Any] = {}
    for record in records:
        if record.HasField("run"):
            found |= items(record.run.config, "update")
        if record.HasField("config"):
            found |= items(record.config, "update")
    return found
