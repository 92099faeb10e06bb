"""Whether a system has what its guidance needs (clr_face.md 7)."""

from src.guidance.guidance import Guidance
from src.networks.identity_recovery import IdentityRecovery
from src.restorers.clr_face_networks import ClrFaceNetworks
from src.restorers.guidance_mask import needs_learned_mask
from src.restorers.guide_target import Oracle
from src.settings.errors import UserError

UNGUIDED = "or guidance.scale=0 for none"


def check_guidance(guidance: Guidance, networks: ClrFaceNetworks, oracle: Oracle | None) -> None:
    """Unguided, a system needs no more than its sampler.

    Raises:
        UserError: the guide, the mask, the identity recovery or the clean faces are missing.
    """
    if guidance.scale == 0:
        return
    if networks.guide is None:
        raise UserError(
            f"guidance.scale: {guidance.scale:g} needs the recogniser that guides, and neither guide.safetensors lies beside "
            "checkpoint, nor are the weights here of a published one that its mask names; give a run folder of stage "
            f"latent_mask, fetch the weights with `python -m src.weights fetch`, {UNGUIDED}"
        )
    if needs_learned_mask(guidance.mask) and networks.mask is None:
        raise UserError(
            f"guidance.mask: {guidance.mask} needs a trained mask, and no latent_mask.safetensors lies beside checkpoint; "
            f"give a run folder of stage latent_mask, guidance.mask=ones, {UNGUIDED}"
        )
    if guidance.target == "recovered" and networks.recovery is None:
        raise UserError(
            "guidance.target: recovered needs an identity recovery, and no identity_recovery.safetensors lies beside "
            f"checkpoint; give a run folder of stage latent_mask, guidance.target=input, {UNGUIDED}"
        )
    if guidance.target == "oracle" and oracle is None:
        raise UserError(
            "guidance.target: oracle leads to the clean face, which only a benchmark with clean faces knows; take "
            "guidance.target=recovered or input"
        )
    if guidance.constraint > 0 and not isinstance(networks.recovery, IdentityRecovery):
        raise UserError(
            f"guidance.constraint: {guidance.constraint:g} needs an identity recovery that gives faces; train one with "
            "identity_recovery.output=image, or set guidance.constraint=0"
        )
