"""Sends offline W&B runs to a server, with the tables and artifacts that they staged.

The upload is wandb's own (`wandb sync`). Added here is what it leaves to chance: the order of the segments of a continued
run, staged files of a run that was moved, and failures, after which wandb 0.31 prints "Finished syncing" and marks the run
as sent although artifacts are missing.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from src.settings.errors import UserError
from src.tracking.wandb_file import read_log
from src.tracking.wandb_login import account_is_configured, server
from src.tracking.wandb_segments import Segment, Staging, find_segments, is_finished, point_to_moved_files, staging_of
from src.tracking.wandb_upload import upload

Outcome = Literal["sent", "listed", "sent before", "failed", "waits", "running", "copy"]

_QUIET_SECONDS = 600.0
"""A log without an end that grew within this time belongs to a run that is probably still going."""


@dataclass(frozen=True)
class SyncedSegment:
    """What became of one segment."""

    segment: Segment
    outcome: Outcome
    sentence: str


@dataclass(frozen=True)
class SyncReport:
    """What `sync_runs` did."""

    text: str
    """For the terminal: a line a run, and a count."""
    failed: int
    """Segments that could not be sent, with those that wait for them."""
    segments: tuple[SyncedSegment, ...]
    """In the order of their start."""


def sync_runs(root: Path, *, project: str | None, entity: str | None, dry_run: bool) -> SyncReport:
    """Send the offline runs below `root` that were not sent yet; one that fails does not stop the others.

    Segments of one run are sent in the order of their start, and not past one that failed: the server appends.

    Args:
        project, entity: where to send them; None takes what each run recorded (entity: the account's own).
        dry_run: list them with their sizes, send nothing.

    Raises:
        UserError: `root` is no folder, or there is no login.
    """
    if not root.is_dir():
        raise UserError(f"runs: {str(root)!r} is not a folder; give the run store, or the folder of one run")
    segments = find_segments(root)
    if not dry_run and not account_is_configured():
        raise UserError(
            f"sync: no API key for {server()} in WANDB_API_KEY or a netrc file; run `wandb login`, or take dry_run=true"
        )
    done: list[SyncedSegment] = []
    for segment in tqdm(segments, desc="sync", unit="run", leave=False, disable=None):
        done.append(_synced(segment, done, project, entity, dry_run))
    return _report(root, done)


def _synced(
    segment: Segment, before: list[SyncedSegment], project: str | None, entity: str | None, dry_run: bool
) -> SyncedSegment:
    if segment.marker.exists():
        return SyncedSegment(segment, "sent before", "")
    for earlier in before:
        if earlier.segment.folder.name == segment.folder.name:
            return SyncedSegment(segment, "copy", f"the same segment lies in {earlier.segment.folder}")
        if earlier.segment.run_id == segment.run_id and earlier.outcome in ("failed", "waits", "running"):
            return SyncedSegment(segment, "waits", f"continues {earlier.segment.folder}, which was not sent")
    try:
        return _sent(segment, project, entity, dry_run)
    except UserError as error:
        return SyncedSegment(segment, "failed", str(error))


def _sent(segment: Segment, project: str | None, entity: str | None, dry_run: bool) -> SyncedSegment:
    records = read_log(segment.log)
    # A clock that was set back makes a log seem to come from the future.
    age = abs(time.time() - segment.log.stat().st_mtime)
    if not is_finished(records) and age < _QUIET_SECONDS:
        sentence = f"has no end and was written to {age:.0f} s ago; sync again when the run is over"
        return SyncedSegment(segment, "running", sentence)
    staging = staging_of(segment, records)
    if staging.lost:
        return SyncedSegment(segment, "failed", _lost(segment, staging))
    contents = f"{_size(segment.size)}, {len(staging.files)} staged files {_size(staging.size)}"
    if dry_run:
        return SyncedSegment(segment, "listed", contents)
    if staging.moved:
        point_to_moved_files(segment, records)
    problem = upload(segment, project=project, entity=entity)
    return SyncedSegment(segment, "failed", problem) if problem else SyncedSegment(segment, "sent", contents)


def _lost(segment: Segment, staging: Staging) -> str:
    first = staging.lost[0]
    more = f" and {len(staging.lost) - 1} more" if len(staging.lost) > 1 else ""
    return (
        f"{first.name} of artifact {first.artifact}{more} was staged as {first.path}, which is gone; bring the folder "
        f"wandb/data of the run back, or send the run without it: `wandb sync {segment.folder}`"
    )


def _report(root: Path, done: list[SyncedSegment]) -> SyncReport:
    failed = sum(entry.outcome in ("failed", "waits") for entry in done)
    counts = {outcome: sum(entry.outcome == outcome for entry in done) for outcome in dict.fromkeys(_outcomes(done))}
    shown = [entry for entry in done if entry.outcome != "sent before"]
    lines = [f"{entry.outcome:<8}{_place(root, entry.segment)}: {entry.sentence}" for entry in shown]
    total = ", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "none"
    return SyncReport("\n".join([*lines, f"Offline runs in {root}: {total}"]), failed, tuple(done))


def _outcomes(done: list[SyncedSegment]) -> list[Outcome]:
    return [entry.outcome for entry in done]


def _place(root: Path, segment: Segment) -> str:
    return f"{segment.folder.relative_to(root)} (run {segment.run_id})" if segment.folder != root else segment.run_id


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
