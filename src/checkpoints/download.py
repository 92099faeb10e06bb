"""Fetches published weights: resumed where it stopped, verified before use, never half a file under its name."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from tqdm import tqdm

from src.checkpoints.catalogue import (
    CATALOGUE,
    FIRST_SEEN,
    checked_weights,
    find_weights,
    missing_sentence,
    target_path,
)
from src.checkpoints.entries import WeightsEntry
from src.checkpoints.files import sha256_of
from src.settings.errors import UserError

TIMEOUT = (10.0, 60.0)
"""To connect, and between two pieces, seconds."""
PIECE = 1 << 20
"""Bytes read at a time."""


def fetch_weights(name: str, weights_dir: str | None, *, progress: bool = True) -> Path:
    """The verified file of an entry, from this machine or else from its published address.

    The licence is stated before the first byte. What an interrupted download left is continued by the next one. An entry
    without a published hash is held to the one with which it was first fetched.

    Raises:
        UserError: the entry is unknown, has another hash than expected, or cannot be fetched or kept.
    """
    if name not in CATALOGUE:
        raise UserError(f"{name!r} is no weights file of the catalogue; `python -m src.weights list` shows them")
    path = find_weights(name, weights_dir)
    if path is not None:
        return checked_weights(name, path)
    entry, target = CATALOGUE[name], target_path(name, weights_dir)
    if not entry.url.endswith(entry.file):
        raise UserError(missing_sentence(name, weights_dir))
    print(_announcement(entry, target), file=sys.stderr, flush=True)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(target):
            if not target.is_file():  # another process may have fetched it meanwhile
                _fetch(entry, target, progress)
    except requests.RequestException as error:
        raise UserError(_failure(entry, target, _reason(error))) from None
    except OSError as error:
        raise UserError(_failure(entry, target, error.strerror or str(error))) from None
    return checked_weights(name, target)


def _announcement(entry: WeightsEntry, target: Path) -> str:
    size = f", {entry.bytes / 1e6:.0f} MB" if entry.bytes else ""
    return f"fetching {entry.url}{size} -> {target}; its licence: {entry.licence}"


def _failure(entry: WeightsEntry, target: Path, reason: str) -> str:
    digest = f"SHA-256 {entry.sha256}" if entry.sha256 else "no SHA-256 is published"
    return (
        f"{entry.file} cannot be fetched from {entry.url} ({reason}); try again, or put the file at {target} by hand "
        f"({digest}), or give a file that you have by its path"
    )


def _fetch(entry: WeightsEntry, target: Path, progress: bool) -> None:
    part = target.with_name(f"{target.name}.part")
    _receive(entry, part, progress)
    found = sha256_of(part)
    if entry.sha256 is not None and not found.startswith(entry.sha256):
        part.unlink()
        _validator(part).unlink(missing_ok=True)
        raise UserError(
            f"{entry.file}: what {entry.url} sent for {target} has the SHA-256 {found}, expected {entry.sha256}; it was "
            "removed: try again, and if it stays so do not use that source"
        )
    if entry.sha256 is None:
        target.with_name(target.name + FIRST_SEEN).write_text(found + "\n")
        print(f"{entry.file}: no hash is published to compare with; from now on {found} is expected", file=sys.stderr)
    os.replace(part, target)
    _validator(part).unlink(missing_ok=True)


def _receive(entry: WeightsEntry, part: Path, progress: bool) -> None:
    """Bring `part` to the whole length; what it holds already is kept if the server's file is still the same."""
    held = part.stat().st_size if part.is_file() else 0
    if entry.bytes is not None and held == entry.bytes:
        return
    with requests.get(entry.url, stream=True, timeout=TIMEOUT, headers=_resume_headers(part, held)) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            part.unlink(missing_ok=True)
            raise requests.HTTPError("what an earlier try left does not fit; it was removed")
        answer.raise_for_status()
        held = held if answer.status_code == requests.codes.partial_content else 0
        _keep_validator(part, answer)
        length = held + int(answer.headers["Content-Length"]) if "Content-Length" in answer.headers else None
        with (
            part.open("ab" if held else "wb") as handle,
            tqdm(
                total=length,
                initial=held,
                desc=entry.file,
                unit="B",
                unit_scale=True,
                disable=None if progress else True,
            ) as bar,
        ):
            for piece in answer.iter_content(PIECE):
                handle.write(piece)
                bar.update(len(piece))
    expected = length if length is not None else entry.bytes
    if expected is not None and part.stat().st_size != expected:
        raise requests.ConnectionError(f"the connection ended after {part.stat().st_size} of {expected} bytes")


def _validator(part: Path) -> Path:
    """Keeps what tells one version of the server's file from another."""
    return part.with_name(part.name + ".json")


def _keep_validator(part: Path, answer: requests.Response) -> None:
    mark = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
    if mark is None or mark.startswith("W/"):
        _validator(part).unlink(missing_ok=True)
    else:
        _validator(part).write_text(json.dumps(mark))


def _resume_headers(part: Path, held: int) -> dict[str, str]:
    """Asks for the rest on the condition that the file has not changed; without a mark of it the whole is asked for."""
    # A server that packs its answer would count other bytes than the file has.
    plain = {"Accept-Encoding": "identity"}
    if not held or not _validator(part).is_file():
        return plain
    return plain | {"Range": f"bytes={held}-", "If-Range": json.loads(_validator(part).read_text())}


@contextmanager
def _one_at_a_time(target: Path) -> Iterator[None]:
    """Let processes that want the same file wait for each other; the lock ends with the process that holds it."""
    import fcntl

    with target.with_name(f".{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.ConnectTimeout | requests.ReadTimeout):
        return "the server did not answer in time"
    if isinstance(error, requests.ConnectionError) and "bytes" not in str(error):
        return "no connection"
    return (str(error).splitlines() or [type(error).__name__])[0]
