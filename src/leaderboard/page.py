"""The page of a leaderboard: one HTML file that needs nothing else, neither a server nor a network."""

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from src.checkpoints.files import atomic_path
from src.leaderboard.page_payload import payload
from src.leaderboard.study import StudyTable

STYLES = ("base", "controls", "table", "charts", "faces", "panel", "widths", "print")
"""Files of the page's style; what comes later wins."""
SCRIPTS = (
    "dom",
    "format",
    "state",
    "series",
    "scale",
    "labels",
    "tooltip",
    "columns",
    "cells",
    "table",
    "frontier",
    "severity",
    "sweeps",
    "diagnostics",
    "gallery",
    "provenance",
    "headline",
    "main",
)
"""Files of the page's script, in the order in which they are joined."""


def write_page(path: Path, tables: Sequence[StudyTable]) -> Path:
    """Write the page of all studies and return its path.

    Raises:
        UserError: a picture of a gallery cannot be read.
    """
    text = page_text([table.study for table in tables], payload(tables))
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def page_text(studies: Sequence[str], data: dict[str, Any]) -> str:
    """The page that shows `data`.

    Its policy lets the browser run this script, apply this style and show embedded pictures, and nothing else.
    """
    style = "\n".join(_asset(f"{name}.css") for name in STYLES)
    script = '"use strict";\n(() => {\n' + "\n".join(_asset(f"{name}.js") for name in SCRIPTS) + "})();\n"
    return Template(_asset("template.html")).substitute(
        title=html.escape(f"Leaderboard: {', '.join(studies)}"),
        style=style,
        style_hash=_policy_hash(style),
        script=script,
        script_hash=_policy_hash(script),
        payload=embedded_json(data),
    )


def embedded_json(data: Any) -> str:
    """JSON that is safe inside a script element: no text in it can end the element or begin another."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _asset(name: str) -> str:
    return (resources.files("src.leaderboard") / "page" / name).read_text(encoding="utf-8")


def _policy_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
