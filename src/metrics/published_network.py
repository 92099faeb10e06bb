"""Gives a network of a metric the published weights of the catalogue, strictly."""

from torch import nn

from src.checkpoints.catalogue import verified_weights
from src.checkpoints.tensor_file import bare_state_dict, read_tensor_file, tensor_differences
from src.metrics.kind import BuildContext
from src.settings.errors import UserError

SHOWN_DIFFERENCES = 3


def load_published(network: nn.Module, weights: str, context: BuildContext, prefix: str = "") -> None:
    """Fill `network` from an entry of the catalogue; of a file with keys that start with `prefix`, from these alone.

    Batch counters, which files of old versions of torch lack, may be missing: they count for training only.

    Raises:
        UserError: the file is missing, unreadable, or holds the weights of another network.
    """
    path = verified_weights(weights, context.weights_dir)
    state = bare_state_dict(read_tensor_file(path), str(path))
    if prefix and any(key.startswith(prefix) for key in state):
        state = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    expected = {key: value for key, value in network.state_dict().items() if not key.endswith("num_batches_tracked")}
    state = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    if differences := tensor_differences(expected, state):
        raise UserError(
            f"{path}: not the weights of {type(network).__name__} "
            f"({len(differences)} differences: {'; '.join(differences[:SHOWN_DIFFERENCES])})"
        )
    network.load_state_dict(state, strict=False)
