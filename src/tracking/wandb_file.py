"""The transaction log of a W&B run, `run-<id>.wandb` (format: conventions.md 5.3).

A header of 7 bytes, then blocks of 32 KiB. A record is cut at block borders into fragments, each behind a head of 7 bytes:
CRC-32 of kind and bytes, length (2 bytes), kind (1 whole, 2 first, 3 middle, 4 last), little-endian.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from src.checkpoints.files import atomic_path
from src.settings.errors import UserError

_MAGIC = b":W&B"
_HEADER, _BLOCK = 7, 32 * 1024
_HEAD = struct.Struct("<IHB")
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def read_log(path: Path) -> list[bytes]:
    """The records of a transaction log, each a serialised `wandb_internal_pb2.Record`.

    A log that breaks off, as that of a killed run does, gives the records before the break.

    Raises:
        UserError: the file is no transaction log.
    """
    data = path.read_bytes()
    if data[:4] != _MAGIC:
        raise UserError(f"{path}: not the transaction log of a W&B run; delete the folder if the run is of no use")
    records, parts = [], list[bytes]()
    for kind, part in _fragments(data):
        parts.append(part)
        if kind in (_WHOLE, _LAST):
            records.append(b"".join(parts))
            parts = []
    return records


def write_log(path: Path, header_of: Path, records: Iterable[bytes]) -> None:
    """Write a transaction log with the header of another one; it appears complete or not at all."""
    with header_of.open("rb") as handle:
        header = handle.read(_HEADER)
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        handle.write(header)
        position = _HEADER
        for record in records:
            for piece in _pieces(record, position):
                handle.write(piece)
                position += len(piece)


def _fragments(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = _HEADER
    while True:
        left = _BLOCK - position % _BLOCK
        if left < _HEAD.size:
            position += left
        if position + _HEAD.size > len(data):
            return
        checksum, length, kind = _HEAD.unpack_from(data, position)
        position += _HEAD.size
        part = data[position : position + length]
        if checksum != _checksum(kind, part):
            return
        yield kind, part
        position += length


def _pieces(record: bytes, position: int) -> Iterator[bytes]:
    """The fragments of one record with their heads, and the padding between blocks."""
    start, first = 0, True
    while first or start < len(record):
        left = _BLOCK - position % _BLOCK
        if left < _HEAD.size:
            yield b"\0" * left
            position, left = position + left, _BLOCK
        part = record[start : start + left - _HEAD.size]
        start += len(part)
        yield _HEAD.pack(_checksum(kind := _kind(first, start == len(record)), part), len(part), kind) + part
        position, first = position + _HEAD.size + len(part), False


def _kind(first: bool, last: bool) -> int:
    if first:
        return _WHOLE if last else _FIRST
    return _LAST if last else _MIDDLE


def _checksum(kind: int, part: bytes) -> int:
    return zlib.crc32(part, zlib.crc32(bytes([kind])))
