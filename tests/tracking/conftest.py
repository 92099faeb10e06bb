"""Reads what an offline W&B run wrote (conventions.md 5.3)."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HEADER, BLOCK, HEAD = 7, 32 * 1024, 7
FULL, FIRST, LAST = 1, 2, 4


def _payloads(data: bytes) -> Iterator[bytes]:
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


def _records(path: Path) -> list[Any]:
    from wandb.proto.wandb_internal_pb2 import Record

    found = []
    for payload in _payloads(path.read_bytes()):
        record = Record()
        record.ParseFromString(payload)
        found.append(record)
    return found


@pytest.fixture
def wandb_records() -> Any:
    """A function from a `.wandb` file to its protobuf records."""
    return _records
