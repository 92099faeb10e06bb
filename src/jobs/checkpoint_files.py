"""Checkpoints on the disk: the newest and the one before it, written whole or not at all, read only if they are sound."""

import errno
import os
import pickle
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from src.checkpoints.files import write_errors
from src.settings.errors import UserError
from src.stages.stage import Stage

ENTRIES = ("state_dict", "optimizer_states", "lr_schedulers", "loops", "iteration")
"""What a training is continued from."""


class UnsoundCheckpointError(Exception):
    """A file is not what this training saved; the message says why, without the file's name."""


def last_checkpoint(folder: Path) -> Path:
    """Where the newest checkpoint of a run lies."""
    return folder / "checkpoints" / "last.ckpt"


def previous_checkpoint(folder: Path) -> Path:
    """Where the one before it lies."""
    return _before(last_checkpoint(folder))


def _before(path: Path) -> Path:
    return path.with_name(f"previous{path.suffix}")


class CheckpointFiles(TorchCheckpointIO):
    """How Lightning writes checkpoints here. It reads them as always: on the CPU, and `fit` asks for plain values alone."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: object | None = None
    ) -> None:
        """See `write_checkpoint`."""
        write_checkpoint(checkpoint, Path(path))


def write_checkpoint(checkpoint: dict[str, Any], path: Path) -> None:
    """Write under a temporary name and to the disk itself, keep what was at `path` as the one before, then rename.

    The temporary name is always the same, so that killed processes leave one such file at most.

    Raises:
        UnwrittenFileError: the disk is full or the folder not writable; the older checkpoints are whole.
    """
    partial = path.with_name(f".{path.name}.partial")
    with write_errors(path, partial):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as handle:
                torch.save(checkpoint, handle)
                handle.flush()
                os.fsync(handle.fileno())
            # A process killed between the two leaves no newest one, and `previous` is what it would have been.
            with suppress(FileNotFoundError):
                os.replace(path, _before(path))
            os.replace(partial, path)
        except Exception:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Bring the names to the disk; some network file systems cannot, and need not."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def checked_iteration(path: Path, stage: Stage) -> int:
    """The iteration of a checkpoint from which `stage` can be continued.

    Every byte is compared with the check sums in the file, which `torch.load` does not do; tensors are mapped, not copied.

    Raises:
        FileNotFoundError: there is none.
        UnsoundCheckpointError: it is damaged, would execute code, or belongs to another network.
        UserError: the disk refuses to read it, which says nothing of the checkpoint.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise UnsoundCheckpointError(f"the bytes of its part {damaged} are not those that were written")
        return _iteration(torch.load(path, map_location="cpu", mmap=True, weights_only=True), stage)
    except (FileNotFoundError, UnsoundCheckpointError):
        raise
    except pickle.UnpicklingError:
        raise UnsoundCheckpointError("it holds more than tensors and plain values, and could execute code") from None
    except OSError as error:
        if error.errno == errno.EINVAL:  # an offset in the damaged file that lies outside of it
            raise UnsoundCheckpointError("it is damaged") from None
        raise UserError(
            f"{path}: cannot be read ({error.strerror or error}); look at its disk, or remove the file to go on from the "
            "checkpoint before it"
        ) from None
    except Exception as error:  # what damaged bytes decode to can fail in any way
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UnsoundCheckpointError(f"it is damaged: {reason[0][:100]}") from None


def _iteration(checkpoint: object, stage: Stage) -> int:
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("state_dict"), dict):
        raise UnsoundCheckpointError("it is no checkpoint of a training")
    if missing := [name for name in ENTRIES if name not in checkpoint]:
        raise UnsoundCheckpointError(f"it lacks {', '.join(missing)}")
    iteration = checkpoint["iteration"]
    if not isinstance(iteration, int) or not 0 < iteration <= stage.training_settings.iterations:
        raise UnsoundCheckpointError(f"its iteration is {iteration!r}")
    _compare_shapes(_shapes(checkpoint["state_dict"]), _shapes(stage.state_dict()))
    if _group_sizes(checkpoint["optimizer_states"]) != _group_sizes(_fresh_optimizers(stage)):
        raise UnsoundCheckpointError("its optimisers train other parameters than those of this stage")
    return iteration


def _compare_shapes(found: dict[str, tuple[int, ...]], expected: dict[str, tuple[int, ...]]) -> None:
    differing = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
    if differing:
        raise UnsoundCheckpointError(
            f"{len(differing)} of its tensors, such as {differing[0]}, are not those of this stage's networks"
        )


def _shapes(state: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(getattr(value, "shape", ())) for name, value in state.items()}


def _fresh_optimizers(stage: Stage) -> list[dict[str, Any]]:
    made: Any = stage.configure_optimizers()
    return [optimizer.state_dict() for optimizer in made]


def _group_sizes(states: list[dict[str, Any]]) -> list[list[int]]:
    return [[len(group["params"]) for group in state["param_groups"]] for state in states]
