"""Silences what libraries say about choices that this suite makes on purpose."""

import logging
import warnings

EXPECTED = (
    "The 'train_dataloader' does not have many workers",
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    "The number of training batches .* is smaller than the logging interval",
    r"Found \d+ module\(s\) in eval mode at the start of training",
    "You're resuming from a checkpoint that ended before the epoch ended",
)


def quieten() -> None:
    """Hide Lightning's banners and the warnings listed above."""
    for name in ("pytorch_lightning", "pytorch_lightning.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in EXPECTED:
        warnings.filterwarnings("ignore", message=message)
