"""The recogniser that takes part in training or guides a sampler; never the one that measures."""

from src.checkpoints.network_file import load_network
from src.config.stage_order import has_trained_guide, is_guided
from src.jobs.upstream import Upstreams, network_hash
from src.losses.identity import IdentityLoss
from src.metrics.identity_loss import build_identity_loss, published_guide_sha256
from src.settings.commands import TrainConfig


def guiding_recogniser(config: TrainConfig, upstreams: Upstreams) -> IdentityLoss:
    """`guide.network`: the upstream guide_recogniser, or a published network.

    Raises:
        UserError: the published network has no weights here.
    """
    network, weights_dir = config.guide.network, config.metrics.weights_dir
    if network != "trained":
        return build_identity_loss(weights_dir, None, network, key="guide.network")
    trained = load_network(upstreams.of("guide_recogniser").weights_file("guide_recogniser")).network
    return build_identity_loss(weights_dir, trained, network, key="guide.network")


def guide_sha256(config: TrainConfig, upstreams: Upstreams) -> str | None:
    """Hash of the guide's weights; None where nothing is guided."""
    if not is_guided(config, config.stage):
        return None
    if has_trained_guide(config, config.stage):
        return network_hash(upstreams.of("guide_recogniser"))
    return published_guide_sha256(config.guide.network, config.metrics.weights_dir)
