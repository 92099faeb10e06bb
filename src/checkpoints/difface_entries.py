"""Published weights of DifFace (difface.md 3; weights_and_data.md 3)."""

from src.checkpoints.weights_entry import S_LAB, WeightsEntry

RELEASE = "https://github.com/zsyOAOA/DifFace/releases/download/V1.0"
PRIORS = "diffusion"
BACKBONES = "estimator"
"""Folders in which the authors' program keeps its weights."""


def _difface(file: str, description: str, folder: str, network: str) -> WeightsEntry:
    return WeightsEntry(
        file=file,
        url=f"{RELEASE}/{file}",
        licence=S_LAB,
        group="DifFace",
        description=description,
        folder=folder,
        network=network,
    )


DIFFACE: dict[str, WeightsEntry] = {
    "difface_unet512": _difface(
        "iddpm_ffhq512_ema500000.pth", "diffusion prior at 512 px", PRIORS, network="difface_unet512"
    ),
    "difface_unet256": _difface(
        "iddpm_ffhq256_ema750000.pth", "diffusion prior at 256 px, for inpainting", PRIORS, network="difface_unet256"
    ),
    "difface_swinir": _difface(
        "swinir_restoration512_L1.pth", "restoration backbone trained with L1", BACKBONES, network="difface_swinir"
    ),
    "difface_swinir_l2": _difface(
        "General_Face_ffhq512.pth", "first backbone, trained with L2", BACKBONES, network="difface_swinir"
    ),
}
