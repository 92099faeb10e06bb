"""What a whole restoration leaves behind: a grid of faces and `restore.json`."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from src.checkpoints.files import atomic_path
from src.data.image_file import write_png
from src.faces.grid import image_grid
from src.photos.open_photo import resized
from src.photos.plan import GRID, REPORT
from src.photos.restoration import Outcome
from src.settings.errors import UserError

SHOWN_FACES = 8
"""Rows of the grid."""
SHOWN_SIDE = 128
"""Smaller faces are enlarged by a whole factor to about this side, pixels."""
PACKAGES = ("torch", "torchvision", "opencv-python-headless", "numpy", "pillow", "facexlib")
"""Packages whose version may change a pixel."""


class Summary:
    """Collects outcomes in the order in which they come; keeps the pictures of the first `SHOWN_FACES` faces only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._outcomes: list[Outcome] = []
        self._shown: list[tuple[np.ndarray, np.ndarray]] = []

    @property
    def problems(self) -> list[str]:
        """One sentence for every input that was not, or not wholly, restored."""
        return [outcome.problem for outcome in self._outcomes if outcome.problem is not None]

    def add(self, outcome: Outcome) -> None:
        """Note one outcome."""
        self._shown.extend(outcome.shown[: SHOWN_FACES - len(self._shown)])
        outcome.shown.clear()
        self._outcomes.append(outcome)

    def write(self, facts: dict[str, Any], restorer: str) -> None:
        """Write the grid, if there was a face, and `restore.json` with `facts` about the method.

        Raises:
            UserError: not one input was read, then nothing is written; or a file cannot be written.
        """
        done = [outcome for outcome in self._outcomes if outcome.frames]
        if not done:
            raise UserError("input: nothing could be read: " + "; ".join(self.problems))
        if self._shown:
            write_png(self._folder / GRID, self._grid(restorer))
        content = facts | {
            "versions": {package: version(package) for package in PACKAGES},
            "restored": [self._entry(outcome) for outcome in done],
            "problems": [
                {"input": str(outcome.file.source), "problem": outcome.problem}
                for outcome in self._outcomes
                if outcome.problem is not None
            ],
        }
        path = self._folder / REPORT
        try:
            with atomic_path(path) as temporary:
                temporary.write_text(json.dumps(content, indent=2) + "\n")
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error.strerror or error})") from None

    def line(self, seconds: float) -> str:
        """One line for the terminal, after `write`; `seconds` is the time of the whole."""
        done = [outcome for outcome in self._outcomes if outcome.frames]
        faces = sum(outcome.faces for outcome in done)
        pictures = sum(outcome.frames for outcome in done)
        faceless = sum(outcome.faces == 0 for outcome in done)
        without = f", {faceless} without a face" if faceless else ""
        return (
            f"restored {faces} faces in {len(done)} of {len(self._outcomes)} inputs{without}; {pictures / seconds:.2f} "
            f"images/s -> {self._folder}"
        )

    def _entry(self, outcome: Outcome) -> dict[str, Any]:
        return {
            "input": str(outcome.file.source),
            "output": outcome.file.result.relative_to(self._folder).as_posix(),
            "report": outcome.file.report.relative_to(self._folder).as_posix(),
            "faces": outcome.faces,
            "images": outcome.frames,
            "seconds": round(sum(outcome.seconds.values()), 6),
        }

    def _grid(self, restorer: str) -> np.ndarray:
        side = self._shown[0][1].shape[0]
        rows = [[resized(crop, side), resized(face, side)] for crop, face in self._shown]
        return image_grid(rows, column_labels=["input", restorer], scale=max(1, SHOWN_SIDE // side))
