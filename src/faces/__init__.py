"""Procedurally rendered portraits with exact identity, landmarks and part maps."""

from src.faces.grid import image_grid
from src.faces.parts import Part
from src.faces.renderer import RenderedFace, render_face

__all__ = ["Part", "RenderedFace", "image_grid", "render_face"]
