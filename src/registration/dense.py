"""Dense displacement field (codeformer_plus_plus.md 3.2 and R3; VoxelMorph, arXiv 1809.05231)."""

from jaxtyping import Float
from torch import Tensor, nn

from src.networks.displacement_unet import DisplacementUnet
from src.registration.face_pair import PAIR_CHANNELS, face_pair
from src.registration.field import resized
from src.registration.registered import Alignment, LandmarkPair, Registered
from src.registration.warp import warped
from src.settings.scale import DenseRegistrationSize


class DenseRegistration(nn.Module):
    """One U-Net gives the displacement of every pixel, or of every other one, enlarged bilinearly (`half_resolution`).

    The field is free to fold; what keeps it smooth is the objective.
    """

    def __init__(self, size: DenseRegistrationSize, *, channels: str, half_resolution: bool) -> None:
        super().__init__()
        self.channels = channels
        self.unet = DisplacementUnet(size, PAIR_CHANNELS[channels], half_resolution=half_resolution)

    def forward(
        self, moving: Float[Tensor, "b 3 h w"], fixed: Float[Tensor, "b 3 h w"], landmarks: LandmarkPair | None = None
    ) -> Registered:
        """One alignment, whose smooth field is the predicted one. ValueError unless the sides are multiples of the stride."""
        predicted = self.unet(face_pair(moving, fixed, self.channels))
        field = resized(predicted, *fixed.shape[-2:])
        moved = warped(moving, field)
        return Registered(moved, field, (Alignment(moved, fixed, predicted, 1.0),), {})
