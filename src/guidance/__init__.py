"""Identity guidance of a latent sampler under a mask, and the masks it may act under (clr_face.md 6 and 7)."""
