"""Sources of faces and the benchmark cut from them."""

from dataclasses import dataclass

from src.settings.degradation import DegradationRecipe


@dataclass(kw_only=True)
class DataSettings:
    """What every source of faces has."""

    kind: str
    """`synthetic_faces`, `folder`, `packed` or `streamed`."""
    flip_probability: float
    """Chance of a horizontal flip of a training face (codeformer.md 3, step 1)."""
    on_damaged: str = "stop"
    """What a training image that cannot be decoded does: `stop` ends the training with its path, `skip` lets the next face
    take its place, and counts it."""


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
    """Any tree of aligned face images, in a folder or a zip archive."""

    root: str
    """Folder or .zip archive that is searched for images (png, jpg, jpeg, webp, bmp), also in sub-folders."""
    layout: str
    """What else the names and files beside the images tell: `none`, `ffhq` or `celeba_hq`, as these are published."""
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
class PackedSettings(DataSettings):
    """A store that was packed from another source; splits, identities and landmarks are those of the source."""

    root: str
    """Folder of the store."""


@dataclass(kw_only=True)
class StreamedSettings(DataSettings):
    """A packed store in an object storage, of which each face is fetched when it is needed."""

    root: str
    """Address of the store: s3://bucket/folder, gs://..., or any other that fsspec knows."""
    cache: str | None
    """Folder that keeps fetched faces and has room for the whole store; null fetches a face each time."""


@dataclass(kw_only=True)
class BenchmarkSettings:
    """The frozen list of (hq, lq) pairs that every arm of a comparison is evaluated on."""

    root: str | None = None
    """Folder of a frozen benchmark (`python -m src.dataset benchmark`) or of a published test set in its usual layout; the
    other keys are then not used. Null cuts the benchmark from `data`."""
    split: str
    """`validation` or `test`."""
    count: int
    """Number of faces (the first of the split); all, if the split has fewer."""
    seed: int
    """Seed of the degradation draws."""
    degradation: DegradationRecipe
