"""Published weights of CodeFormer (codeformer.md 2 and 4; weights_and_data.md 3)."""

from typing import Any

from src.checkpoints.weights_entry import CODEFORMER_RELEASE, MIRRORS, ONE_SOURCE, S_LAB, WeightsEntry

PUBLISHED_ADAIN = {"codeformer": True, "codeformer_colorization": True, "codeformer_inpainting": False}
"""Whether the published script of each network matches code statistics (codeformer.md 4)."""


def _codeformer(file: str, description: str, **facts: Any) -> WeightsEntry:
    return WeightsEntry(
        file=file,
        url=f"{CODEFORMER_RELEASE}/{file}",
        licence=S_LAB,
        group="CodeFormer",
        description=description,
        **facts,
    )


CODEFORMER: dict[str, WeightsEntry] = {
    "codeformer": _codeformer(
        "codeformer.pth",
        "stage III: restores faces at 512 px",
        sha256="1009e537e0c2a07d4cabce6355f53cb66767cd4b4297ec7a4a64ca4b8a5684b7",
        sha256_source=MIRRORS,
        bytes=376637898,
        network="codeformer",
    ),
    "codeformer_stage2": _codeformer("codeformer_stage2.pth", "stage II: code prediction", network="codeformer"),
    "codeformer_colorization": _codeformer(
        "codeformer_colorization.pth", "colours grey faces", network="codeformer_colorization"
    ),
    "codeformer_inpainting": _codeformer(
        "codeformer_inpainting.pth",
        "fills white strokes",
        sha256="b0d1b868c3dacf75d637bbcc0d4b3dd4ce2a064a338dfb4d35c740d3b4ae8797",
        sha256_source=ONE_SOURCE,
        network="codeformer_inpainting",
    ),
    "vqgan": _codeformer(
        "vqgan_code1024.pth",
        "stage I: VQ autoencoder of 1,024 codes",
        sha256="4d1c6741b3cffcbdc2cd1a12b2c3c2442282e042d5de66909cb643d4fa31b20f",
        sha256_source=ONE_SOURCE,
        network="vqgan",
    ),
    "vqgan_discriminator": _codeformer(
        "vqgan_discriminator.pth",
        "stage I: discriminator, starts stage III's",
        network="vqgan_discriminator",
    ),
    "latent_gt_code1024": _codeformer("latent_gt_code1024.pth", "codes of FFHQ's images, stage II's targets"),
}
