"""Where the five landmarks of an aligned face lie."""

FFHQ_TEMPLATE = (
    (192.98138, 239.94708),
    (318.90277, 240.1936),
    (256.63416, 314.01935),
    (201.26117, 371.41043),
    (313.08905, 371.15118),
)
"""Left eye, right eye, nose, mouth corners of an FFHQ-aligned 512 x 512 face, (x, y) pixels (codeformer.md 4)."""
TEMPLATE_SIDE = 512
