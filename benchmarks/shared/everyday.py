"""Models as users build them, from no publication: what a library must be fast on as well."""

from itertools import pairwise

import scratchae as sa
from benchmarks.shared.published import down, flat, up
from scratchae import (
    LSTM,
    Conv1d,
    Conv2d,
    ConvTranspose1d,
    ConvTranspose2d,
    Dense,
    Flatten,
    MaxPool2d,
    Reshape,
    Sequential,
    Upsample2d,
)


def wide_vae() -> sa.VAE:
    """64x64x3 -> 32 -> 64 -> 128 -> 4x4x256 -> 128 by kernels of 4, and back, logits."""
    widths, n = (3, 32, 64, 128, 256), 4 * 4 * 256
    halved = [down(C, O, kernel=4) for C, O in pairwise(widths)]
    doubled = [up(C, O, kernel=4) for C, O in pairwise(widths[:0:-1])]
    last = ConvTranspose2d(32, 3, 4, 2, "same")
    encoder = Sequential(*halved, Flatten(), Dense(n, 2 * 128))
    decoder = Sequential(Dense(128, n, "relu"), Reshape(4, 4, 256), *doubled, last)
    return sa.VAE(encoder, decoder, sa.Gaussian(128))


def big_dense() -> sa.Autoencoder:
    """4096-2048-512-64 and back, logits."""
    encoder = Sequential(Dense(4096, 2048, "relu"), Dense(2048, 512, "relu"), Dense(512, 64))
    decoder = Sequential(Dense(64, 512, "relu"), Dense(512, 2048, "relu"), Dense(2048, 4096))
    return sa.Autoencoder(encoder, decoder, sa.Bernoulli())


def wide_conv() -> sa.Autoencoder:
    """Four convolutions of 256 channels on 8x8."""
    first, second, third = (flat(256, 256, activation="relu") for _ in range(3))
    return sa.Autoencoder(Sequential(first, second), Sequential(third, flat(256, 256)))


def pooled_5x5() -> sa.Autoencoder:
    """32x32x3 -> 16x16x64 -> 8x8x64 by kernels of 5 and pooling, and back by upsampling."""
    first, second, third = (flat(C, 64, kernel=5, activation="relu") for C in (3, 64, 64))
    encoder = Sequential(first, MaxPool2d(2), second, MaxPool2d(2))
    decoder = Sequential(Upsample2d(2), third, Upsample2d(2), flat(64, 3, kernel=5))
    return sa.Autoencoder(encoder, decoder)


def ten_layers() -> sa.Autoencoder:
    """28x28x1 through ten convolutions, of 32 channels between them."""
    first, *inner = (flat(C, 32, activation="relu") for C in (1, *[32] * 8))
    return sa.Autoencoder(Sequential(first, *inner[:4]), Sequential(*inner[4:], flat(32, 1)))


def odd_channels() -> sa.Autoencoder:
    """45x37x3 -> 23x19x17 -> 12x10x33 and back."""
    first = Conv2d(3, 17, 5, 2, "same", "relu"), Conv2d(17, 33, 3, 2, "same", "relu")
    second = ConvTranspose2d(33, 17, 3, 2, 1, "relu"), ConvTranspose2d(17, 3, 5, 2, 2)
    return sa.Autoencoder(Sequential(*first), Sequential(*second))


def lstm_128() -> sa.Autoencoder:
    """30 steps of 8 -> 128 -> 64 -> 64 -> 128 -> 8."""
    encoder = Sequential(LSTM(8, 128, True), LSTM(128, 64, False))
    decoder = Sequential(sa.Repeat(30), LSTM(64, 64, True), LSTM(64, 128, True), Conv1d(128, 8, 1))
    return sa.Autoencoder(encoder, decoder)


def lstm_64() -> sa.Autoencoder:
    """100 steps of 3 -> 64 -> 64 -> 3."""
    decoder = Sequential(sa.Repeat(100), LSTM(64, 64, True), Conv1d(64, 3, 1))
    return sa.Autoencoder(Sequential(LSTM(3, 64, False)), decoder)


def small_pooled() -> sa.Autoencoder:
    """28x28x1 -> 14x14x16 -> 7x7x8 -> 4x4x8 by pooling, and back by upsampling, logits."""
    levels = [flat(C, O, activation="relu") for C, O in ((1, 16), (16, 8), (8, 8))]
    encoder = [layer for conv in levels for layer in (conv, MaxPool2d(2, padding="same"))]
    wide = flat(8, 8, activation="relu"), flat(8, 8, activation="relu")
    cut = Conv2d(8, 16, 3, activation="relu")  # 16x16 -> 14x14
    decoder = [layer for conv in (*wide, cut) for layer in (conv, Upsample2d(2))]
    return sa.Autoencoder(Sequential(*encoder), Sequential(*decoder, flat(16, 1)), sa.Bernoulli())


def conv1d_stride() -> sa.Autoencoder:
    """288 steps of 1 -> 144x32 -> 72x16 by kernels of 7, and back."""
    first = Conv1d(1, 32, 7, 2, "same", "relu"), Conv1d(32, 16, 7, 2, "same", "relu")
    second = ConvTranspose1d(16, 16, 7, 2, "same", "relu")
    third = ConvTranspose1d(16, 32, 7, 2, "same", "relu")
    last = ConvTranspose1d(32, 1, 7, 1, "same")
    return sa.Autoencoder(Sequential(*first), Sequential(second, third, last))


def table() -> sa.Autoencoder:
    """30 columns, 16-8-16."""
    encoder = Sequential(Dense(30, 16, "relu"), Dense(16, 8, "relu"))
    return sa.Autoencoder(encoder, Sequential(Dense(8, 16, "relu"), Dense(16, 30)))
