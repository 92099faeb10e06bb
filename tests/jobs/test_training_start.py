"""A run that is trained anew keeps nothing of the training before."""

from pathlib import Path

from src.jobs.checkpoint_files import last_checkpoint
from src.jobs.training_log import IMAGES, SCALARS, told_file
from src.jobs.training_start import forget_training


def test_checkpoints_grids_and_logs_are_forgotten_and_weights_kept(tmp_path: Path) -> None:
    """A grid of the old training would pass for one that the loggers have been shown."""
    old = [last_checkpoint(tmp_path), tmp_path / IMAGES / "iteration_0000010.png", tmp_path / SCALARS]
    kept = tmp_path / "weights" / "network.safetensors"
    for path in (*old, told_file(tmp_path / SCALARS), kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    forget_training(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [kept]
