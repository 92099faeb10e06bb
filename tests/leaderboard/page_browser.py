"""Drives a page in headless Chromium: a frame of any width, a script that acts in it, and a screenshot of the end."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

NAMES = ("chromium", "chromium-browser", "google-chrome")
# A window is at least 500 pixels wide and loses some of its height: the page stands in a frame of the wanted size.
SMALLEST_WINDOW = 500
LOST_HEIGHT = 150
WRAPPER = """<!doctype html><meta charset="utf-8"><body style="margin:0">
<iframe src="{source}" style="display:block;border:0;width:{width}px;height:{height}px"></iframe>
<script>
const frame = document.querySelector("iframe");
const noted = (value) => (document.documentElement.dataset.result = JSON.stringify(value));
addEventListener("error", (event) => noted({{ failure: event.message }}));
addEventListener("load", () => {{
  const page = frame.contentDocument;
  const one = (selector) => page.querySelector(selector);
  const all = (selector) => [...page.querySelectorAll(selector)];
  const texts = (selector) => all(selector).map((node) => node.textContent);
  const hook = () => ({{ ...page.documentElement.dataset }});
  noted((() => {{ {driver} }})());
}});
</script>"""


@dataclass(frozen=True)
class Shown:
    """What the driver returned, and the frame's pixels."""

    result: Any
    pixels: np.ndarray

    def colours(self, box: dict[str, float]) -> int:
        """Number of different colours inside a rectangle with left, top, right and bottom."""
        left, top, right, bottom = (max(0, round(box[side])) for side in ("left", "top", "right", "bottom"))
        region = self.pixels[top:bottom, left:right].reshape(-1, 3)
        return len(np.unique(region, axis=0))


@dataclass(frozen=True)
class Browser:
    """Chromium and a folder for its files."""

    program: str
    folder: Path

    def run(self, page: Path, width: int, height: int, driver: str, fragment: str = "") -> Shown:
        """Show `page` and run `driver`, the body of a function that may use `page`, `one`, `all`, `texts` and `hook`."""
        wrapper = page.with_name("wrapper.html")
        source = f"{page.name}#{fragment}"
        text = WRAPPER.format(source=source.replace("&", "&amp;"), width=width, height=height, driver=driver)
        wrapper.write_text(text, encoding="utf-8")
        picture = self.folder / "screenshot.png"
        picture.unlink(missing_ok=True)
        window = f"--window-size={max(width, SMALLEST_WINDOW)},{height + LOST_HEIGHT}"
        document = self._start(wrapper, window, f"--screenshot={picture}", "--dump-dom")
        result = json.loads(_attribute(document, "data-result"))
        assert not (isinstance(result, dict) and "failure" in result), result
        with Image.open(picture) as opened:
            return Shown(result, np.asarray(opened.convert("RGB"))[:height, :width])

    def _start(self, wrapper: Path, *options: str) -> str:
        command = [
            self.program,
            *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-background-networking"),
            *("--disable-component-update", "--disable-sync", "--no-first-run", "--allow-file-access-from-files"),
            *(f"--user-data-dir={self.folder / 'profile'}", *options, wrapper.as_uri()),
        ]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def found_browser(folder: Path) -> Browser:
    """The Chromium of this machine; skips the test where there is none."""
    program = next((path for name in NAMES if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"none of {', '.join(NAMES)} is installed: the page is not looked at in a browser")
    return Browser(program, folder)


def _attribute(document: str, name: str) -> str:
    found: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag == "html":
                found.extend(value or "" for key, value in attrs if key == name)

    Reader().feed(document)
    assert found, f"the page did not get as far as {name}"
    return found[0]
