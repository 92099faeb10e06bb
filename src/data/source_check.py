"""Whether the faces of a source can be used: every file is decoded and compared with the others."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tqdm import tqdm

from src.data import build_source, count_faces
from src.data.image_file import DamagedImage
from src.data.in_order import in_order
from src.data.source import FaceSource, KnowsFiles
from src.settings.data import DataSettings
from src.settings.errors import UserError

SHOWN = 20
"""Problems of a kind that are printed."""


class CheckedFace(NamedTuple):
    """What was found of one face."""

    pixels: str
    """SHA-256 of the decoded face; empty if it cannot be decoded."""
    side: int
    damaged: str
    unusable: str
    """Why it cannot be used, other than by damage (it is not square)."""


@dataclass(frozen=True, kw_only=True)
class SourceCheck:
    """What was found of all faces of a source."""

    faces: int
    damaged: tuple[str, ...]
    unusable: tuple[str, ...]
    """Faces that are not square or cannot be read."""
    too_small: tuple[str, ...]
    """Faces that are enlarged."""
    duplicates: tuple[str, ...]
    """Groups of faces with the same pixels, in one split."""
    leaks: tuple[str, ...]
    """Groups of faces with the same pixels, in several splits."""

    @property
    def usable(self) -> bool:
        """Whether every face can be read and no face is in two splits; small and repeated faces are allowed."""
        return not (self.damaged or self.unusable or self.leaks)

    def __str__(self) -> str:
        kinds = (
            ("damaged", self.damaged),
            ("not usable", self.unusable),
            ("smaller than asked for, and enlarged", self.too_small),
            ("same pixels within a split", self.duplicates),
            ("same pixels in several splits", self.leaks),
        )
        lines = [f"{self.faces:,} faces checked"]
        for title, found in kinds:
            lines.append(f"{title}: {len(found):,}")
            lines += [f"  {entry}" for entry in found[:SHOWN]]
            lines += [f"  and {len(found) - SHOWN:,} more"] if len(found) > SHOWN else []
        return "\n".join(lines)


def check_source(settings: DataSettings, *, size: int, workers: int = 0) -> SourceCheck:
    """Decode every face at `size` pixels a side, in so many processes, and compare all with one another.

    Raises:
        UserError: the source or its table cannot be read at all, or an identity is in two splits.
    """
    sources = {
        split: build_source(settings, split=split, size=size, cache=None, look_over=False)
        for split, (images, _) in count_faces(settings).items()
        if images
    }
    places = [(split, index) for split, source in sources.items() for index in range(len(source))]
    names = [f"{split}: {sources[split].name(index)}" for split, index in places]
    checked = in_order(_Checker(sources, places), range(len(places)), workers)
    title = f"checking {len(places):,} faces"
    found = list(tqdm(checked, desc=title, total=len(places), unit="face", leave=False, disable=None))
    groups = _same_pixels(found)
    texts = [", ".join(names[place] for place in group) for group in groups]
    leaking = [len({places[place][0] for place in group}) > 1 for group in groups]
    return SourceCheck(
        faces=len(found),
        damaged=tuple(face.damaged for face in found if face.damaged),
        unusable=tuple(face.unusable for face in found if face.unusable),
        too_small=tuple(
            f"{name} ({face.side} pixels)" for name, face in zip(names, found, strict=True) if 0 < face.side < size
        ),
        duplicates=tuple(text for text, leaks in zip(texts, leaking, strict=True) if not leaks),
        leaks=tuple(text for text, leaks in zip(texts, leaking, strict=True) if leaks),
    )


@dataclass(frozen=True)
class _Checker:
    """Checks one face; runs in the decoding processes."""

    sources: dict[str, FaceSource]
    places: Sequence[tuple[str, int]]

    def __call__(self, place: int) -> CheckedFace:
        split, index = self.places[place]
        source = self.sources[split]
        try:
            side = source.side(index) if isinstance(source, KnowsFiles) else source.size
            pixels = hashlib.sha256(source.image(index).tobytes()).hexdigest()
        except DamagedImage as error:
            return CheckedFace("", 0, str(error), "")
        except UserError as error:
            return CheckedFace("", 0, "", str(error))
        return CheckedFace(pixels, side, "", "")


def _same_pixels(faces: Sequence[CheckedFace]) -> list[list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for place, face in enumerate(faces):
        if face.pixels:
            groups[face.pixels].append(place)
    return [group for group in groups.values() if len(group) > 1]
