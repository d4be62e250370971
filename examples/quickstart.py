"""The library on one screen: data, a VAE, training, a picture, a file, held-out numbers."""

from pathlib import Path

from output import say

import scratchae
from scratchae import VAE, Adam, Dense, Flatten, Gaussian, Reshape, Sequential, datasets, plots

out = Path("runs/quickstart")
out.mkdir(parents=True, exist_ok=True)
train, test = datasets.load("strokes", binarize="threshold")  # generated digits, ink or paper
model = VAE(
    encoder=Sequential(Flatten(), Dense(784, 400, "relu"), Dense(400, 2 * 10)),  # mu and logvar
    decoder=Sequential(Dense(10, 400, "relu"), Dense(400, 784), Reshape(28, 28, 1)),  # logits
    latent=Gaussian(10),
).build((28, 28, 1), seed=0)
scratchae.fit(model, train, Adam(1e-3), epochs=10, validation=test)

digits = model.sample(60)  # (60, 28, 28, 1): 60 codes from the prior, decoded
plots.save(plots.image_grid(digits, f"{train.name}: samples"), out / "samples.png")

scratchae.save(model, out / "vae.safetensors")
again = scratchae.load(out / "vae.safetensors")
say(f"{again}\n{scratchae.evaluate(again, test)}")  # nats per example; the loss: minus the ELBO
