"""The chain of the suite against the public one, on the same draws and noise."""

import cv2
import numpy as np
import torch

from experiments.speed import public_chain, public_draws
from experiments.speed.speed_faces import PngFaces
from src.degradation.chain import chain_of
from src.degradation.codecs import encode_and_decode
from src.degradation.draw import draw
from src.degradation.drawn import CodecDraw, KernelDraw, ResizeDraw
from src.degradation.engine import apply_draws
from src.degradation.filtering import blur_and_resize
from src.degradation.integer_jpeg import jpeg_roundtrip
from src.degradation.keyed import SampleKey
from src.degradation.recipes import load_recipe


def equality_table(png: PngFaces, rounds: int) -> str:
    """The chain of the suite against the public one on the same draws."""
    rows = [
        "| recipe | blur + down, largest (0..1) | JPEG equal | values that differ | mean difference, levels |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in ("codeformer_large", "codeformer_small", "gfpgan"):
        found = [_compared(png, name, face, call) for call in range(rounds) for face in range(len(png))]
        blur, equal, share, mean = (np.array(column) for column in zip(*found, strict=True))
        rows.append(
            f"| {name} | {blur.max():.1e} | {equal.sum()} of {len(equal)} | {share.mean():.4%} | {mean.mean():.5f} |"
        )
    return "\n".join(rows)


def _compared(png: PngFaces, name: str, face: int, call: int) -> tuple[float, bool, float, float]:
    """Largest difference after the reduction, whether the integer JPEG is OpenCV's, share and mean at the end."""
    chain, key, hq = chain_of(load_recipe(name)), SampleKey(1, call, face), png.image(face)
    draws = draw(chain, key, len(hq))
    parameters, colour = public_draws.taken_over(draws, key)
    kernel, small = draws[0], draws[1]
    code = next(step for step in draws if isinstance(step, CodecDraw))
    assert isinstance(kernel, KernelDraw)
    assert isinstance(small, ResizeDraw)
    image = hq[..., ::-1].astype(np.float32) / 255
    taps = public_chain.make_kernel(parameters.sigma_x, parameters.sigma_y, parameters.angle)
    reduced = public_chain.resized(cv2.filter2D(image, -1, taps), small.side)
    ours_reduced = np.asarray(blur_and_resize(hq, kernel, small))[..., ::-1] / 255
    levels = np.clip(np.rint(reduced * 255), 0, 255).astype(np.uint8)
    coded = jpeg_roundtrip(torch.from_numpy(levels.copy()).permute(2, 0, 1)[None], torch.tensor([code.quality]))
    equal = np.array_equal(coded[0].permute(1, 2, 0).numpy(), encode_and_decode(levels, "jpeg", code.quality))
    public = public_chain.gfpgan_v1(png.files[face], parameters, colour, flip=False)["lq"]
    expected = ((public + 1) * 127.5).round().permute(1, 2, 0).int().numpy()
    difference = np.abs(apply_draws(hq, draws, key)[1] - expected)
    return float(np.abs(ours_reduced - reduced).max()), equal, float((difference > 0).mean()), float(difference.mean())
