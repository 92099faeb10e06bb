"""Networks: pure PyTorch modules, sized by `src.settings.scale`."""

from src.networks.codebook_health import CodebookHealth, histogram, restart_dead_codes
from src.networks.codeformer import CodeFormer, CodePrediction, Restoration
from src.networks.diffusion_unet import DiffusionUnet
from src.networks.discriminator import PatchDiscriminator
from src.networks.feature_transformation import FeatureTransformation
from src.networks.landmark_detector import LandmarkDetector
from src.networks.latent_autoencoder import LatentAutoencoder
from src.networks.latent_encoder import LatentEncoder
from src.networks.latent_mask import AdaptiveLatentMask, GlobalLatentMask, LatentMask
from src.networks.latent_score import LatentScoreUnet
from src.networks.mobile_recogniser import MobileRecogniser
from src.networks.recogniser import Recogniser
from src.networks.restoration_unet import RestorationUnet
from src.networks.srcnn import Srcnn, SrcnnSameResolution
from src.networks.swinir import SwinIr
from src.networks.texture_fusion import TextureFusion
from src.networks.vector_quantizer import Quantized, VectorQuantizer
from src.networks.vq_autoencoder import Reconstruction, VqAutoencoder

__all__ = [
    "AdaptiveLatentMask",
    "CodeFormer",
    "CodePrediction",
    "CodebookHealth",
    "DiffusionUnet",
    "FeatureTransformation",
    "GlobalLatentMask",
    "LandmarkDetector",
    "LatentAutoencoder",
    "LatentEncoder",
    "LatentMask",
    "LatentScoreUnet",
    "MobileRecogniser",
    "PatchDiscriminator",
    "Quantized",
    "Recogniser",
    "Reconstruction",
    "Restoration",
    "RestorationUnet",
    "Srcnn",
    "SrcnnSameResolution",
    "SwinIr",
    "TextureFusion",
    "VectorQuantizer",
    "VqAutoencoder",
    "histogram",
    "restart_dead_codes",
]
