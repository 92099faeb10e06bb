"""Published weights with which whole photographs are restored (codeformer.md 4; weights_and_data.md 3)."""

from src.checkpoints.weights_entry import BSD, CODEFORMER_RELEASE, COMPUTED, MIRRORS, WeightsEntry, facexlib_entry

GROUP = "whole photographs"

PHOTOS: dict[str, WeightsEntry] = {
    "retinaface_resnet50": facexlib_entry(
        "detection_Resnet50_Final.pth",
        "v0.1.0",
        GROUP,
        "face detector RetinaFace, ResNet-50",
        sha256="6d1de9c2944f2ccddca5f5e010ea5ae64a39845a86311af6fdf30841b0a5a16d",
        sha256_source=MIRRORS,
        bytes=109497761,
        folder="retinaface",
    ),
    "retinaface_mobilenet": facexlib_entry(
        "detection_mobilenet0.25_Final.pth",
        "v0.1.0",
        GROUP,
        "face detector RetinaFace, MobileNet-0.25",
        sha256="2979b33ffafda5d74b6948cd7a5b9a7a62f62b949cef24e95fd15d2883a65220",
        sha256_source=COMPUTED,
        bytes=1789735,
        folder="retinaface",
    ),
    "parsenet": facexlib_entry(
        "parsing_parsenet.pth",
        "v0.2.2",
        GROUP,
        "face parts in 19 classes, for blending",
        sha256="3d558d8d0e42c20224f13cf5a29c79eba2d59913419f945545d8cf7b72920de2",
        sha256_source=MIRRORS,
        bytes=85331193,
        folder="parsing",
    ),
    "bisenet": facexlib_entry(
        "parsing_bisenet.pth",
        "v0.2.0",
        GROUP,
        "face parts in 19 classes, another network",
        sha256="468e13ca13a9b43cc0881a9f99083a430e9c0a38abd935431d1c28ee94b26567",
        sha256_source=MIRRORS,
        folder="parsing",
    ),
    "realesrgan_x2plus": WeightsEntry(
        file="RealESRGAN_x2plus.pth",
        url=f"{CODEFORMER_RELEASE}/RealESRGAN_x2plus.pth",
        licence=BSD,
        group=GROUP,
        description="Real-ESRGAN, enlarges backgrounds twice",
        folder="realesrgan",
    ),
}
