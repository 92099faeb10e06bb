"""What a source of faces consists of."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from src.data import build_source, count_faces
from src.data.image_file import DamagedImage
from src.data.source import FaceSource, KnowsFiles
from src.settings.data import DataSettings

PIXELS_OF = 256
"""Faces whose pixels are looked at."""
HEADERS_OF = 4096
"""Files whose headers are looked at."""


@dataclass(frozen=True, kw_only=True)
class SourceStatistics:
    """Counts, sizes and colours of a source."""

    splits: dict[str, tuple[int, int]]
    """(images, identities) of every split."""
    sides: tuple[int, float, int] | None
    """Smallest, median and largest side of (at most `HEADERS_OF`) files, pixels; None where faces are no files."""
    types: dict[str, int]
    """Number of files by suffix."""
    nbytes: int
    mean: tuple[float, float, float]
    """Of red, green and blue in [0, 1], over at most `PIXELS_OF` faces spread evenly over all splits."""
    deviation: tuple[float, float, float]
    notices: tuple[str, ...]

    def __str__(self) -> str:
        rows = [f"{'split':<12}{'images':>9}{'identities':>12}"]
        rows += [f"{split:<12}{images:>9,}{people:>12,}" for split, (images, people) in self.splits.items()]
        if self.sides is not None:
            types = ", ".join(f"{count:,} {suffix}" for suffix, count in sorted(self.types.items()))
            rows += [f"files: {types}; {self.nbytes / 1e6:,.1f} MB"]
            rows += [f"side: {self.sides[0]} to {self.sides[2]} pixels, median {self.sides[1]:g}"]
        colours = zip(("red", "green", "blue"), self.mean, self.deviation, strict=True)
        rows += ["mean +- deviation in [0, 1]: " + ", ".join(f"{name} {m:.3f} +- {s:.3f}" for name, m, s in colours)]
        return "\n".join([*rows, *self.notices])


def source_statistics(settings: DataSettings, *, size: int) -> SourceStatistics:
    """Statistics of all splits; faces are looked at as they are at `size` pixels a side.

    Raises:
        UserError: the source cannot be read, or a file is not square.
    """
    splits = count_faces(settings)
    sources = [
        build_source(settings, split=split, size=size, cache=None, look_over=False)
        for split, (images, _) in splits.items()
        if images
    ]
    files = [(source, index) for source in sources for index in range(len(source)) if isinstance(source, KnowsFiles)]
    named = [source.file(index) for source, index in files if isinstance(source, KnowsFiles)]
    sides = [side for source, index in _spread(files, HEADERS_OF) if (side := _side(source, index))]
    mean, deviation = _colours(sources)
    return SourceStatistics(
        splits=splits,
        sides=(min(sides), float(np.median(sides)), max(sides)) if sides else None,
        types=dict(Counter(PurePosixPath(name).suffix.lower().lstrip(".") for name, _ in named)),
        nbytes=sum(nbytes for _, nbytes in named),
        mean=mean,
        deviation=deviation,
        notices=next((source.notices for source in sources if isinstance(source, KnowsFiles)), ()),
    )


def _spread(items: Sequence, most: int) -> list:
    """At most so many items, evenly over all."""
    return [items[place] for place in np.unique(np.linspace(0, len(items) - 1, min(most, len(items))).astype(int))]


def _side(source: FaceSource, index: int) -> int:
    """0 if the file is damaged."""
    try:
        return source.side(index) if isinstance(source, KnowsFiles) else source.size
    except DamagedImage:
        return 0


def _colours(sources: Sequence[FaceSource]) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    total, squares, count = np.zeros(3), np.zeros(3), 0
    places = [(source, index) for source in sources for index in range(len(source))]
    for source, index in _spread(places, PIXELS_OF):
        try:
            pixels = source.image(index).reshape(-1, 3) / 255.0
        except DamagedImage:
            continue
        total, squares, count = total + pixels.sum(axis=0), squares + (pixels**2).sum(axis=0), count + len(pixels)
    mean = total / max(count, 1)
    spread = np.sqrt(np.maximum(squares / max(count, 1) - mean**2, 0))
    return (float(mean[0]), float(mean[1]), float(mean[2])), (float(spread[0]), float(spread[1]), float(spread[2]))
