"""What the catalogue says of a weights file, and the licences, places and sources of hashes that entries share."""

from dataclasses import dataclass
from typing import Any

S_LAB = "S-Lab License 1.0, non-commercial use only"
BSD = "BSD-3-Clause"
CODEFORMER_RELEASE = "https://github.com/sczhou/CodeFormer/releases/download/v0.1.0"
FACEXLIB_RELEASE = "https://github.com/xinntao/facexlib/releases/download"

COMPUTED = "computed from the file"
IN_NAME = "first digits, in the file's own name"
IN_ADDRESS = "in the address that its authors publish"
MIRRORS = "not published by the authors; many mirrors agree"
ONE_SOURCE = "one third-party source, unconfirmed"


@dataclass(frozen=True, kw_only=True)
class WeightsEntry:
    """One weights file."""

    file: str
    url: str
    """Where it is fetched; a page for files that no address gives alone."""
    licence: str
    description: str = ""
    group: str = ""
    """Purpose under which it is listed."""
    sha256: str | None = None
    """The whole digest, or its first digits; None where none is known."""
    sha256_source: str = ""
    """Who says so."""
    bytes: int | None = None
    """Size where it is known."""
    network: str | None = None
    """Name under which `load_published` builds its network."""
    folder: str = ""
    """Sub-folder of a weights directory."""
    package: str | None = None
    """pip package that carries the file."""
    package_folder: str = ""

    @property
    def is_non_commercial(self) -> bool:
        """Whether the licence forbids commercial use."""
        return "non-commercial" in self.licence


def facexlib_entry(file: str, release: str, group: str, description: str, **facts: Any) -> WeightsEntry:
    """A file of a release of facexlib."""
    url = f"{FACEXLIB_RELEASE}/{release}/{file}"
    return WeightsEntry(file=file, url=url, licence="MIT", group=group, description=description, **facts)
