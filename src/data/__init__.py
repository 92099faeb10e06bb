"""Sources of faces, their splits, and the benchmark cut from them.

The sources are imported when they are built, so that reading an image does not load the renderer.
"""

from pathlib import Path

from src.data.source import FaceSource
from src.settings.data import DataSettings, FolderSettings, PackedSettings, StreamedSettings, SyntheticFacesSettings
from src.settings.errors import UserError

__all__ = ["FaceSource", "build_source", "count_faces"]


def build_source(
    settings: DataSettings, *, split: str, size: int, cache: Path | None, look_over: bool = True
) -> FaceSource:
    """The faces of a split (`train`, `validation` or `test`) at `size` pixels a side.

    `cache` is the folder where rendered faces are kept; None renders them when asked for. Without `look_over`, damaged
    files of a folder are found only when they are asked for.

    Raises:
        UserError: the settings name no source, or a source that cannot be read.
    """
    if size < 1:
        raise UserError(f"size: {size} must be 1 or more pixels")
    if isinstance(settings, SyntheticFacesSettings):
        from src.data.synthetic import SyntheticFaces

        return SyntheticFaces(settings, split=split, size=size, cache=cache)
    if isinstance(settings, FolderSettings):
        from src.data.folder import FolderFaces

        return FolderFaces(settings, split=split, size=size, look_over=look_over)
    if isinstance(settings, PackedSettings):
        from src.data.packed import PackedFaces

        return PackedFaces(settings, split=split, size=size)
    if isinstance(settings, StreamedSettings):
        from src.data.streamed import StreamedFaces

        return StreamedFaces(settings, split=split, size=size)
    raise _unknown(settings)


def count_faces(settings: DataSettings) -> dict[str, tuple[int, int]]:
    """(images, identities) of every split, without reading or rendering a face.

    Raises:
        UserError: the settings name no source, or a source that cannot be read.
    """
    if isinstance(settings, SyntheticFacesSettings):
        from src.data import synthetic

        return synthetic.count_faces(settings)
    if isinstance(settings, FolderSettings):
        from src.data import folder

        return folder.count_faces(settings)
    if isinstance(settings, PackedSettings):
        from src.data import packed

        return packed.count_faces(settings)
    if isinstance(settings, StreamedSettings):
        from src.data import streamed

        return streamed.count_faces(settings)
    raise _unknown(settings)


def _unknown(settings: DataSettings) -> UserError:
    return UserError(f"data.kind: {settings.kind!r} is not one of synthetic_faces, folder, packed, streamed")
