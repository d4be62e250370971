"""Who is trained: host arrays in, host arrays out, whatever the backend."""

from .autoencoder import Autoencoder, WideCode
from .base import Model
from .vae import VAE

__all__ = ["VAE", "Autoencoder", "Model", "WideCode"]
