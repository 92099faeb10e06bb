"""Sources of faces and the benchmark cut from them."""

from dataclasses import dataclass

from src.settings.degradation import DegradationRecipe


@dataclass(kw_only=True)
class DataSettings:
    """What every source of faces has."""

    kind: str
    """`synthetic_faces` or `folder`."""
    flip_probability: float
    """Chance of a horizontal flip of a training face (codeformer.md 3, step 1)."""


@dataclass(kw_only=True)
class SyntheticFacesSettings(DataSettings):
    """Rendered faces; a face is a function of (seed, index) alone."""

    seed: int
    """Seed of the renderer; another seed is another population."""
    identities: int
    """Identities in all splits together."""
    images_per_identity: int
    """Pictures of one identity (pose, light, expression and background differ)."""
    validation_identities: int
    """Identities held out for validation."""
    test_identities: int
    """Identities held out for the test."""


@dataclass(kw_only=True)
class FolderSettings(DataSettings):
    """Any tree of aligned face images."""

    root: str
    """Folder that is searched for images (png, jpg, jpeg, webp, bmp), also in sub-folders."""
    table: str | None
    """CSV with a column `file` (relative to `root`) and optional columns split, identity, lookalike_group and
    left_eye_x ... mouth_right_y (pixels of the file). Null: `faces.csv` in `root` if there is one."""
    validation_fraction: float
    """Share of identities held out for validation where the table names no split."""
    test_fraction: float
    """Share of identities held out for the test where the table names no split."""
    split_seed: int
    """Seed of that choice."""


@dataclass(kw_only=True)
class BenchmarkSettings:
    """The frozen list of (hq, lq) pairs that every arm of a comparison is evaluated on."""

    split: str
    """`validation` or `test`."""
    count: int
    """Number of faces (the first of the split); all, if the split has fewer."""
    seed: int
    """Seed of the degradation draws."""
    degradation: DegradationRecipe
