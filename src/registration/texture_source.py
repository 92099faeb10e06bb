"""Registration of the face and alignment of its features, taken together."""

from jaxtyping import Float
from torch import Tensor

from src.registration.field import composed
from src.registration.registered import Registered
from src.registration.warp import warped

FLOW_GUIDED = "flow_guided_deformable"


def texture_source(
    alignment: str, moving: Float[Tensor, "b c h w"], registered: Registered
) -> Float[Tensor, "b c h w"]:
    """The face whose features are aligned: the warped one, or the moving one where the offsets start from its field."""
    return moving if alignment == FLOW_GUIDED else registered.warped


def whole_registration(
    alignment: str, moving: Float[Tensor, "b c h w"], registered: Registered, implied: Float[Tensor, "b 2 h w"] | None
) -> Registered:
    """The registration as one field of the face, with the mean displacement that an alignment of features implies.

    What deformable convolution and attention mix has no one place: the warped face shows the mean of them.
    """
    if implied is None:
        return registered
    before = None if alignment == FLOW_GUIDED else registered.field
    field = implied if before is None else composed(implied, before)
    return Registered(warped(moving, field), field, (), {}, None)
