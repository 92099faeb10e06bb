"""A continued training goes on behind its checkpoint, in its log and in what loggers are shown."""

from pathlib import Path

from pytorch_lightning.loggers.logger import DummyLogger

from src.jobs.training_log import TrainingLog


class Shown(DummyLogger):
    """Remembers the iterations that it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.iterations: list[float] = []

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        assert metrics["train/loss"] == metrics["train/iteration"] / 3
        self.iterations.append(metrics["train/iteration"])


def train(path: Path, logger: Shown, iterations: range) -> None:
    log = TrainingLog(path)
    log.continue_from(iterations.start - 1, [logger])
    for iteration in iterations:
        log.write(iteration, {"loss": iteration / 3}, [logger], {"train/loss": iteration / 3})


def test_lines_are_neither_lost_nor_doubled_and_loggers_see_each_once(tmp_path: Path) -> None:
    whole, broken, logger = tmp_path / "whole.jsonl", tmp_path / "broken.jsonl", Shown()
    train(whole, Shown(), range(1, 13))
    train(broken, logger, range(1, 8))
    with broken.open("a") as handle:
        handle.write('{"iteration": 8, "lo')
    train(broken, logger, range(5, 6))  # killed again, before it came to where it had been
    train(broken, logger, range(5, 10))
    train(broken, logger, range(10, 13))
    assert broken.read_bytes() == whole.read_bytes()
    assert logger.iterations == list(range(1, 13))


def test_a_training_from_the_beginning_keeps_no_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"iteration": 1, "loss": 0.5}\nnonsense\n[1]\n{"iteration": 2')
    TrainingLog(path).continue_from(0, [])
    assert path.read_bytes() == b""


def test_whole_lines_up_to_the_checkpoint_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    lines = b'{"iteration": 1,  "loss": 0.5}\n{"iteration": 2, "loss": NaN}\n'
    path.write_bytes(lines + b'{"iteration": 3, "loss": 1}\n')
    TrainingLog(path).continue_from(2, [])
    assert path.read_bytes() == lines
