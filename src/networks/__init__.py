"""Networks: pure PyTorch modules, sized by `src.settings.scale`."""

from src.networks.codebook_health import CodebookHealth, histogram, restart_dead_codes
from src.networks.codeformer import CodeFormer, CodePrediction, Restoration
from src.networks.discriminator import PatchDiscriminator
from src.networks.feature_transformation import FeatureTransformation
from src.networks.recogniser import Recogniser
from src.networks.vector_quantizer import Quantized, VectorQuantizer
from src.networks.vq_autoencoder import Reconstruction, VqAutoencoder

__all__ = [
    "CodeFormer",
    "CodePrediction",
    "CodebookHealth",
    "FeatureTransformation",
    "PatchDiscriminator",
    "Quantized",
    "Recogniser",
    "Reconstruction",
    "Restoration",
    "VectorQuantizer",
    "VqAutoencoder",
    "histogram",
    "restart_dead_codes",
]
