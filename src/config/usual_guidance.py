"""The guidance that configurations begin with."""

from functools import cache

from omegaconf import OmegaConf

from src.config.compose import CONFIG_DIR
from src.settings.clr_face import GuidanceSettings


@cache
def usual_guidance() -> GuidanceSettings:
    """That of `conf/stages/guidance.yaml`."""
    written = OmegaConf.merge(
        OmegaConf.structured(GuidanceSettings), OmegaConf.load(CONFIG_DIR / "stages" / "guidance.yaml")
    )
    found = OmegaConf.to_object(written)
    assert isinstance(found, GuidanceSettings)
    return found
