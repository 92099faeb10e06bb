"""One `wandb sync` of one offline run, and whether everything arrived."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from src.tracking.wandb_segments import Segment

_PATIENCE = {
    f"WANDB__{part}_{setting}": value
    for part in ("GRAPHQL", "FILE_STREAM", "FILE_TRANSFER")
    for setting, value in {"RETRY_MAX": "4", "RETRY_WAIT_MIN_SECONDS": "0.5", "RETRY_WAIT_MAX_SECONDS": "8"}.items()
}
"""wandb's own defaults try a dead server for a quarter of an hour a run."""
_NOT_INHERITED = ("WANDB_MODE", "WANDB_SILENT", "WANDB_RUN_ID", "WANDB_SERVICE")
_LOSS = re.compile(r"giving up|fail|fatal|no such file|denied|unauthor", re.IGNORECASE)
"""Among the errors of a log, those after which something is missing on the server."""

_LONGEST = 240


def upload(segment: Segment, *, project: str | None, entity: str | None) -> str | None:
    """Send one segment; None if all of it arrived, else a sentence, and the segment stays marked as not sent.

    The verdict is taken from wandb's log: its exit status is 0 and its marker is written even where artifacts are lost. A
    second attempt sends rows of curves again, by the same steps: wandb keeps the first one beside the log (`.syncstate`).
    """
    options = [*(["--project", project] if project else []), *(["--entity", entity] if entity else [])]
    command = [sys.executable, "-m", "wandb", "sync", "--include-online", *options, str(segment.folder.resolve())]
    with TemporaryDirectory() as scratch:
        done = subprocess.run(
            command,
            env=_environment(segment, scratch),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        losses = list(dict.fromkeys(_losses(Path(scratch))))
    if not losses and segment.marker.exists():
        return None
    segment.marker.unlink(missing_ok=True)
    if not losses:
        losses = [_last_line(done.stderr) or f"wandb ended with status {done.returncode}"]
    more = f" (and {len(losses) - 1} more errors)" if len(losses) > 1 else ""
    return f"{losses[0][:_LONGEST]}{more}; it stays marked as not sent: sync again"


def _environment(segment: Segment, scratch: str) -> dict[str, str]:
    """What the upload runs in: wandb's logs and copies go to `scratch`."""
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    folders = {
        "WANDB_DIR": scratch,
        "WANDB_CACHE_DIR": scratch,
        "WANDB_DATA_DIR": str(segment.home.resolve() / "wandb/data"),
    }
    return _PATIENCE | inherited | folders


def _losses(scratch: Path) -> Iterator[str]:
    for path in sorted(scratch.rglob("debug-sync*.log")):
        for line in path.read_text(errors="replace").splitlines():
            entry = _entry(line)
            if str(entry.get("level", "")).startswith("ERROR"):
                text = " ".join(f"{entry.get('msg', '')} {entry.get('error', '')}".split())
                if _LOSS.search(text):
                    yield text


def _entry(line: str) -> dict:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""
