"""How fast `python -m src.restore` is, and where the time goes.

python -m experiments.speed.restore                           the published sizes with random weights
python -m experiments.speed.restore --weights codeformer.pth  the published network itself
python -m experiments.speed.restore --side 64 --rounds 1      a small network, to see that the script works

Part 1 alternates the ways in which the network can compute, in one process: `as trained` is how the published script
calls it (fp32, channels first, no_grad, freed memory given back to the system); the others keep freed memory, as the
command does. Every row is a ratio to the first, with the largest and mean difference of the
image, the share of equal codes and the PSNR. Part 2 restores group photos with rendered faces through the whole chain
and splits the time by part. Speeds are medians over the rounds; random weights say nothing about codes that real ones
decide by larger margins.
"""

import argparse
import contextlib
import copy
import ctypes
import json
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from src.checkpoints.published import PUBLISHED_NETWORKS, load_published
from src.faces.renderer import render_face
from src.memory import M_MMAP_MAX, M_TRIM_THRESHOLD, keep_freed_memory
from src.networks import CodeFormer
from src.photos.background import LanczosBackground
from src.photos.build import BATCH_SIZES
from src.photos.compose import Composer
from src.photos.detector import PhotoDetector, build_detector
from src.photos.face_batches import FaceBatches
from src.photos.open_photo import WholePhotoOpener
from src.photos.plan import plan_photos
from src.photos.restoration import Restoration
from src.photos.stream import RestorationStream
from src.restorers.codeformer import CodeFormerRestorer
from src.restorers.device import torch_device
from src.restorers.precision import Precision, choose_precision
from src.settings.restore import DetectionSettings
from src.settings.scale import CodePredictorSize, VqAutoencoderSize
from src.tracking.provenance import git_commit, hardware, package_versions

SMALL_SIZE = VqAutoencoderSize(
    image_size=64,
    width=8,
    multipliers=[1, 2, 2],
    residual_blocks=1,
    attention_sizes=[16],
    norm_groups=4,
    codebook_size=16,
    code_dim=8,
)
SMALL_PREDICTOR = CodePredictorSize(dim=16, heads=2, layers=1)
AS_TRAINED = "as trained"
M_MMAP_THRESHOLD = -3
DETECTION = DetectionSettings(short_side=640, long_side=4096, confidence=0.8, overlap=0.4, least_eye_distance=5)


def main() -> None:
    """Run both parts and print them, and the facts that a reader needs to repeat them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, help="published CodeFormer file; random weights without it")
    parser.add_argument("--side", type=int, choices=(64, 512), default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--photos", type=int, default=4)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 leaves the library's choice")
    chosen = parser.parse_args()
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    device = torch_device(chosen.device)
    commit, changed = git_commit()
    facts = {"commit": commit, "uncommitted_changes": changed, "threads": torch.get_num_threads()}
    print(json.dumps(facts | hardware() | {"torch": package_versions().get("torch")}))
    network = _network(chosen.weights, chosen.side)
    with torch.no_grad():
        compare_precisions(network, chosen.batch, chosen.rounds, device)
    split_by_part(network, chosen.photos, chosen.rounds, device)


def _network(weights: Path | None, side: int) -> CodeFormer:
    torch.manual_seed(0)
    if weights is not None:
        network = load_published("codeformer", weights)
    elif side == 512:
        network = PUBLISHED_NETWORKS["codeformer"]()
    else:
        network = CodeFormer(SMALL_SIZE, SMALL_PREDICTOR, (16, 32))
    assert isinstance(network, CodeFormer)
    return network.eval()


def compare_precisions(network: CodeFormer, batch: int, rounds: int, device: torch.device) -> None:
    """Print seconds a face of every way to compute, and what it changes."""
    ways = {
        AS_TRAINED: (Precision("exact"), 1.0, False),
        "exact": (Precision("exact"), 1.0, True),
        "fp32": (Precision("fp32"), 1.0, True),
        "bf16": (Precision("bf16"), 1.0, True),
        "fp32, w = 0": (Precision("fp32"), 0.0, True),
    }
    networks = {
        precision: precision.prepared(copy.deepcopy(network)).to(device)
        for precision in {way[0] for way in ways.values()}
    }
    faces = torch.stack([_face(number, network.size.image_size) for number in range(batch)]).to(device)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    results = {}
    for _ in range(rounds + 1):  # the first round warms up
        for name, (precision, fidelity, inference) in ways.items():
            if device.type == "cpu":
                give_memory_back() if name == AS_TRAINED else keep_freed_memory()
            start = time.perf_counter()
            with torch.inference_mode(inference):
                made = networks[precision](precision.input(faces), fidelity=fidelity, adain=True)
                results[name] = made.image.float().cpu(), made.logits.argmax(2).cpu()
            seconds[name].append((time.perf_counter() - start) / batch)
    print(f"\nCodeFormer at {network.size.image_size} px, batch {batch}, on {device}, median of {rounds} rounds")
    print(f"{'':14}{'s/face':>8}{'ratio':>8}{'max diff':>10}{'mean diff':>11}{'codes':>8}{'PSNR':>8}")
    reference_image, reference_codes = results[AS_TRAINED]
    base = statistics.median(seconds[AS_TRAINED][1:])
    for name, (image, codes) in results.items():
        spent = statistics.median(seconds[name][1:])
        row = f"{name:14}{spent:8.3f}{base / spent:7.2f}x"
        if ways[name][1] == 1.0:
            difference = (image - reference_image).abs()
            error = (image.clamp(-1, 1) - reference_image.clamp(-1, 1)).square().mean().item()
            psnr = f"{10 * np.log10(4 / error):8.1f}" if error else "   equal"
            same = (codes == reference_codes).float().mean().item()
            row += f"{difference.max().item():10.1e}{difference.mean().item():11.1e}{same:8.3f}{psnr}"
        print(row)


def give_memory_back() -> None:
    """The C library's own way, as it has settled after its first large blocks (mallopt(3), dynamic thresholds)."""
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, value in ((M_MMAP_MAX, 65536), (M_MMAP_THRESHOLD, 32 << 20), (M_TRIM_THRESHOLD, 64 << 20)):
            mallopt(parameter, value)
        ctypes.CDLL(None).malloc_trim(0)


def _face(number: int, side: int) -> torch.Tensor:
    """A rendered face, blurred as a degraded one is."""
    image = cv2.GaussianBlur(render_face(0, number, 0, side).image, (0, 0), side / 128)
    return torch.from_numpy(image).permute(2, 0, 1).float() / 127.5 - 1


def split_by_part(network: CodeFormer, count: int, rounds: int, device: torch.device) -> None:
    """Print images a second of the whole chain, and the milliseconds that each part takes a photo."""
    precision = choose_precision("auto", device)
    restorer = CodeFormerRestorer(copy.deepcopy(network).to(device), fidelity=0.5, adain=True, precision=precision)
    opener = WholePhotoOpener(
        PhotoDetector(build_detector("mtcnn", DETECTION, None, device), DETECTION),
        face_size=network.size.image_size,
        sampling="cubic",
        least_side=0,
        only_center=False,
    )
    stream = RestorationStream(opener, FaceBatches(restorer, None, device), BATCH_SIZES[device.type])
    restoration = Restoration(stream, Composer(LanczosBackground(), 2.0, 0.05, "auto"), 2, 150.0)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            Image.fromarray(_group_photo(number)).save(Path(folder) / f"{number}.jpg", quality=92)
        walls, parts, faces = [], [], 0
        for turn in range(rounds):
            files = plan_photos(folder, f"{folder}/out{turn}", overwrite=False)
            files = [file for file in files if file.source.parent == Path(folder)]
            start = time.perf_counter()
            outcomes = list(restoration.photos(files))
            walls.append(time.perf_counter() - start)
            parts.append([outcome.seconds for outcome in outcomes])
            faces = sum(outcome.faces for outcome in outcomes)
    wall = statistics.median(walls)
    setting = f"{device}, {precision.description}"
    print(f"\nWhole photos of 1600 x 1200, {faces / count:.1f} faces each, detector mtcnn, upscale 2, {setting}")
    print(f"{count / wall:.3f} images/s, {faces / wall:.3f} faces/s (wall, median of {rounds} rounds)")
    for part in ("decode", "detect", "align", "restore", "paste", "encode"):
        spent = statistics.median(sum(photo[part] for photo in turn) / count for turn in parts)
        print(f"  {part:8}{1000 * spent:9.1f} ms a photo")
    print(f"  {'wall':8}{1000 * wall / count:9.1f} ms a photo (decode, paste and encode run beside the others)")


def _group_photo(number: int) -> np.ndarray:
    wall = np.random.default_rng(number).integers(60, 200, (12, 16, 3), np.uint8)
    photo = cv2.resize(wall, (1600, 1200), interpolation=cv2.INTER_CUBIC)
    for place, (x, y) in enumerate(((100, 150), (650, 400), (1200, 200))):
        photo[y : y + 320, x : x + 320] = render_face(1, 3 * number + place, 0, 320).image
    return photo


if __name__ == "__main__":
    main()
