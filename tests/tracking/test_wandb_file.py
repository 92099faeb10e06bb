"""The transaction log: read and written as wandb does it."""

from pathlib import Path

import numpy as np
import pytest

from src.settings.errors import UserError
from src.tracking.wandb_file import read_log, write_log
from tests.tracking.offline_file import BLOCK, HEAD, HEADER, payloads

HEAD_OF_A_LOG = b":W&B\xe1\xbe\x00"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A file with nothing but a header."""
    path = tmp_path / "run-x.wandb"
    path.write_bytes(HEAD_OF_A_LOG)
    return path


# What is left of the first block, and lengths that end just before, at and behind its border.
REST = BLOCK - HEADER - HEAD


@pytest.mark.parametrize("first", [0, 1, REST - HEAD - 1, REST - HEAD, REST - 1, REST, REST + 1, 3 * BLOCK])
def test_what_was_written_is_read_by_both_readers(log: Path, first: int) -> None:
    rng = np.random.default_rng(first)
    records = [rng.bytes(length) for length in (first, 0, 5, 2 * BLOCK, 700)]
    write_log(log, log, records)
    assert read_log(log) == records
    assert list(payloads(log.read_bytes())) == records


def test_a_log_of_wandb_is_repeated_byte_by_byte(offline_runs: Path, tmp_path: Path) -> None:
    for original in offline_runs.rglob("run-*.wandb"):
        copy = tmp_path / original.name
        write_log(copy, original, read_log(original))
        assert copy.read_bytes() == original.read_bytes()


def test_a_log_that_breaks_off_or_is_damaged_gives_what_stands_before(log: Path) -> None:
    records = [b"a" * 100, b"b" * 100, b"c" * 100]
    write_log(log, log, records)
    whole = log.read_bytes()
    log.write_bytes(whole[:-1])
    assert read_log(log) == records[:2]
    log.write_bytes(whole.replace(b"bb", b"xx", 1))
    assert read_log(log) == records[:1]


def test_another_file_is_refused(log: Path) -> None:
    log.write_bytes(b"PK\x03\x04")
    with pytest.raises(UserError, match="not the transaction log of a W&B run"):
        read_log(log)
