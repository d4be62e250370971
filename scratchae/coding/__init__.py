"""Files made smaller with a VAE: bits-back coding, back to the bit."""

from .bitsback import compress, decompress
from .stream import header
from .symbols import Symbols

__all__ = ["Symbols", "compress", "decompress", "header"]
