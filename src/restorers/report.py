"""What a restoration leaves behind besides the faces: a side-by-side grid and `restore.json`."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from src.checkpoints.files import atomic_path, sha256_of
from src.data.image_file import write_png
from src.faces.grid import image_grid
from src.restorers.base import Restorer
from src.restorers.batches import RestoredFace, UnreadFace
from src.restorers.face_files import GRID, REPORT, resized
from src.settings.errors import UserError

SHOWN_FACES = 8
"""Rows of the grid."""
SHOWN_SIDE = 128
"""Smaller faces are enlarged by a whole factor to about this side, pixels."""


class Report:
    """Collects outcomes in the order in which they come; keeps the pictures of the first `SHOWN_FACES` only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._faces: list[dict[str, Any]] = []
        self._unread: list[UnreadFace] = []
        self._shown: list[RestoredFace] = []

    @property
    def problems(self) -> list[str]:
        """One sentence for every face that was not restored."""
        return [unread.problem for unread in self._unread]

    def add(self, outcome: RestoredFace | UnreadFace) -> None:
        """Note one outcome."""
        if isinstance(outcome, UnreadFace):
            self._unread.append(outcome)
            return
        target = outcome.file.target.relative_to(self._folder).as_posix()
        seconds = round(outcome.seconds, 6)
        self._faces.append({"input": str(outcome.file.source), "output": target, "seconds": seconds})
        if len(self._shown) < SHOWN_FACES:
            self._shown.append(outcome)

    def write(self, restorer: Restorer, checkpoint: Path | None, device: str) -> None:
        """Write the grid and `restore.json`.

        Raises:
            UserError: not one face was restored, then nothing is written; or a file cannot be written.
        """
        if not self._faces:
            raise UserError("input: none of the images could be read: " + "; ".join(self.problems))
        write_png(self._folder / GRID, self._grid(restorer))
        content = json.dumps(self._content(restorer, checkpoint, device), indent=2)
        try:
            with atomic_path(self._folder / REPORT) as temporary:
                temporary.write_text(content + "\n")
        except OSError as error:
            raise UserError(f"{self._folder / REPORT}: cannot be written ({error.strerror or error})") from None

    def summary(self) -> str:
        """One line for the terminal, after `write`."""
        count = len(self._faces)
        mean = sum(face["seconds"] for face in self._faces) / count
        return (
            f"restored {count} of {count + len(self._unread)} images, {mean:.3f} s each in the method -> {self._folder}"
        )

    def _content(self, restorer: Restorer, checkpoint: Path | None, device: str) -> dict[str, Any]:
        return {
            "restorer": restorer.name,
            "knobs": restorer.knobs,
            "checkpoint": None if checkpoint is None else str(checkpoint),
            "checkpoint_sha256": None if checkpoint is None else sha256_of(checkpoint),
            "image_size": restorer.image_size,
            "parameters": restorer.parameters,
            "network_evaluations": restorer.network_evaluations,
            "device": device,
            "restored": self._faces,
            "problems": [{"input": str(unread.file.source), "problem": unread.problem} for unread in self._unread],
        }

    def _grid(self, restorer: Restorer) -> np.ndarray:
        side = self._shown[0].image.shape[0]
        rows = [[resized(face.lq, side), resized(face.image, side)] for face in self._shown]
        return image_grid(rows, column_labels=["input", restorer.name], scale=max(1, SHOWN_SIDE // side))
