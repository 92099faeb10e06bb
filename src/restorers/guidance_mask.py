"""The mask under which CLR-Face's guidance acts: the learned one, or a control that no one learned (clr_face.md 6)."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from src.degradation.keyed import SampleKey
from src.guidance.control_mask import control_mask
from src.guidance.guided_denoiser import LatentMask
from src.metric_learning.component_mask import landmark_mask, softened
from src.networks.latent_mask import AdaptiveLatentMask, GlobalLatentMask

LEARNED = ("learned", "learned_hard")
SIZED = ("random", "edges")
"""Controls that are as large as the learned mask."""
DILATION, FEATHER = 7.0, 5.0
"""Of the component mask, pixels of a face of 512: those of conf/stages/texture_fusion.yaml."""

Latent = Float[Tensor, "b c h w"]
Faces = Float[Tensor, "b 3 h_face w_face"]


def needs_learned_mask(name: str) -> bool:
    """Whether a mask of that name is the learned one, or as large as it."""
    return name in (*LEARNED, *SIZED)


def guidance_mask(
    name: str,
    learned: GlobalLatentMask | AdaptiveLatentMask | None,
    latent: Latent,
    single_stage: Callable[[], Faces],
    face_side: int,
    keys: Sequence[SampleKey],
) -> LatentMask:
    """The mask called `name` among `MASKS` of src.settings.clr_face, by the part of the process.

    `latent` is the degraded faces', of which an adaptive mask is made; `single_stage` decodes it, for its edges; `keys`
    draw the random mask. No landmarks are known: the components are those of the FFHQ template. `learned` may be None
    where `needs_learned_mask` says so.
    """

    def at(part: int | float) -> Latent:
        if learned is None or not needs_learned_mask(name):
            own = torch.zeros_like(latent)
        else:
            parts = torch.full((len(latent),), part, dtype=latent.dtype, device=latent.device)
            own = (learned.hard if name == "learned_hard" else learned.soft)(latent, parts)
        return own if name in LEARNED else control_mask(name, own, keys=keys, components=components, face=face)

    components = _components(len(latent), face_side, latent.device) if name == "components" else None
    face = single_stage() if name == "edges" else None
    if needs_learned_mask(name) and isinstance(learned, AdaptiveLatentMask):
        return at
    fixed = at(1.0)
    return lambda part: fixed


def _components(faces: int, side: int, device: torch.device) -> Float[Tensor, "b 1 h_face w_face"]:
    """Soft ellipses around eyes, nose and mouth of the FFHQ template."""
    nowhere = torch.full((faces, 5, 2), torch.nan, device=device)
    return softened(landmark_mask(nowhere, side, side), DILATION, FEATHER)
