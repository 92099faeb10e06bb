"""Roles that a metric can play in a comparison."""

from collections.abc import Collection

RECORDED_ROLES = (
    "perceptual",
    "distribution",
    "distribution_unbiased",
    "identity",
    "identity_to_input",
    "landmarks",
    "no_reference",
    "psnr",
    "ssim",
)
"""Roles of which a record names the metric that stands for it; one of them, or one metric by its id, decides a study."""
DEFAULT_PRIMARY = "perceptual"
"""Decides where a study names nothing."""
GUIDE_ROLE = "identity_guide"
"""Identity as the recogniser sees it that guided the restoration or its training: shown beside `identity`, never deciding."""


def guide_role(role: str) -> str:
    """What a metric of identity is in the eyes of the recogniser that guided; other roles stay what they are."""
    if is_guide_role(role) or not role.startswith("identity"):
        return role
    return GUIDE_ROLE + role.removeprefix("identity")


def is_guide_role(role: str) -> bool:
    """Whether a role is that of a recogniser which judges what it has guided."""
    return role.startswith(GUIDE_ROLE)


def role_under(guides: Collection[str], role: str, extractor_sha256: str | None) -> str:
    """The role of a metric where the networks with the SHA-256 `guides` guided: theirs, if its extractor is one of them."""
    return guide_role(role) if extractor_sha256 in guides else role
