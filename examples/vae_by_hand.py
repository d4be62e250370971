"""A variational autoencoder on one page: the loss, every derivative, Adam and the loop, in NumPy.

An image x has 784 pixels, ink (1) or paper (0). The model says how x came about: a code z of D
numbers is drawn from p(z) = N(0, I), a decoder turns z into logits a, and each pixel is ink with
probability sigmoid(a). Which z goes with a given x? An encoder answers with a Gaussian q(z|x) of
mean mu and variance exp(logvar). With KL(q, p) = E_q[log q - log p], whatever q is,

    log p(x) = E_q[log p(x|z)] - KL(q(z|x), p(z)) + KL(q(z|x), p(z|x)).

No KL is negative. So without the last term, which needs the unknown p(z|x), the right side is a
lower bound on log p(x), the ELBO. The loss is minus the ELBO, with one z drawn for each x:

    h = encoder(x)                              mu and logvar, side by side               elbo (1)
    z ~ q(z|x)                                                                            elbo (2)
    a = decoder(z)                                                                        elbo (3)
    nll_n = -log p(x_n | a_n)                   a number for each image                   elbo (4)
    kl_nd = KL(q(z_d|x_n), p(z_d))              a number for each image and dimension     elbo (5)
    loss = 1/N sum_n (nll_n + sum_d kl_nd) = reconstruction + kl, in nats             elbo (6) (7)

The numbers are the library's: gaussian (4) is (4) of kernels/gaussian.py; dense is in
scratchae/layers, elbo in scratchae/objectives. Source: Kingma and Welling, arXiv:1312.6114, 2014.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # python -P and -I leave it out
import numpy as np
from matplotlib.image import imsave
from output import say

from scratchae import datasets

N, H, D = 100, 200, 10  # images in a batch, hidden units, numbers in a code


def sigmoid(a):
    """1 / (1 + exp(-a)), shaped as a, by way of exp(-|a|), which never overflows."""
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1, e) / (1 + e)  # bernoulli (4)


def mlp(x, W, b, W_out, b_out):
    """x (N, I) -> y (N, H) of a hidden layer, a (N, O) of a linear one: encoder or decoder.

    a = x W,  y = phi(a + b)                                                         dense (1) (2)
    relu: phi(a) = max(a, 0),  phi' = 1 if y > 0 else 0                             activation (6)
    """
    y = np.maximum(x @ W + b, 0)  # (N, I) (I, H) -> (N, H)    dense (1) (2), activation (6)
    return y, y @ W_out + b_out  # (N, H) (H, O) -> (N, O)    dense (1) (2)


def forward(x, eps, params):
    """x (N, 784), eps (N, D) ~ N(0, I) -> nll (N,), kl (N, D), and what backward needs.

    sigma = exp(logvar / 2)                                                           gaussian (1)
    z = mu + sigma eps                  a draw from q that has derivatives            gaussian (2)
    kl = (mu^2 + exp(logvar) - 1 - logvar) / 2    = E_q[z^2 - eps^2 - logvar] / 2     gaussian (3)
    -log p(x|a) = softplus(a) - x a     as p(x|a) = exp(x a) / (1 + exp(a))          bernoulli (1)
    softplus(a) = log(1 + exp(a)) = max(a, 0) + log(1 + exp(-|a|)), no overflow      bernoulli (2)
    nll = sum of (1) over the pixels                                                 bernoulli (3)
    """
    y1, h = mlp(x, *params[:4])  # (N, H), (N, 2D)    elbo (1)
    mu, logvar = np.split(h, 2, axis=1)  # (N, D) each
    sigma = np.exp(logvar / 2)  # gaussian (1)
    z = mu + sigma * eps  # (N, D)    elbo (2), gaussian (2)
    y3, a = mlp(z, *params[4:])  # (N, H), (N, 784)    elbo (3)
    softplus = np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))  # (N, 784)    bernoulli (2)
    nll = (softplus - x * a).sum(axis=1)  # (N,)    elbo (4), bernoulli (1) (3)
    kl = (mu * mu + np.expm1(logvar) - logvar) / 2  # (N, D)    elbo (5), gaussian (3)
    return nll, kl, (y1, mu, logvar, sigma, z, y3, a)


def backward(x, eps, params, kept):
    """The gradients of N loss by params: dy is the derivative of N loss by y, in the shape of y.

    da = sigmoid(a) - x         softplus' = exp(a) / (1 + exp(a)) = sigmoid(a)       bernoulli (4)
    da = dy phi'                phi' of the relu above                                   dense (3)
    db = sum_n da_n, dW = x^T da, dx = da W^T            as y = phi(x W + b)     dense (4) (5) (6)
    dmu = dz + mu               once through z, once through kl                       gaussian (4)
    dlogvar = dz eps sigma / 2 + (exp(logvar) - 1) / 2      as sigma' = sigma / 2     gaussian (5)
    """
    (y1, mu, logvar, sigma, z, y3, a), (W2, W3, W4) = kept, params[2::2]
    da4 = sigmoid(a) - x  # (N, 784)    bernoulli (4)
    dW4, db4 = y3.T @ da4, da4.sum(axis=0)  # (H, 784), (784,)    dense (5) (4)
    da3 = da4 @ W4.T * (y3 > 0)  # (N, H)    dense (6) (3), activation (6)
    dW3, db3 = z.T @ da3, da3.sum(axis=0)  # (D, H), (H,)    dense (5) (4)
    dz = da3 @ W3.T  # (N, D)    dense (6)
    dmu = dz + mu  # (N, D)    gaussian (4)
    dlogvar = dz * eps * sigma / 2 + np.expm1(logvar) / 2  # (N, D)    gaussian (5)
    dh = np.concatenate([dmu, dlogvar], axis=1)  # (N, 2D)
    dW2, db2 = y1.T @ dh, dh.sum(axis=0)  # (H, 2D), (2D,)    dense (5) (4)
    da1 = dh @ W2.T * (y1 > 0)  # (N, H)    dense (6) (3), activation (6)
    dW1, db1 = x.T @ da1, da1.sum(axis=0)  # (784, H), (H,)    dense (5) (4)
    return [dW1, db1, dW2, db2, dW3, db3, dW4, db4]


def adam(params, grads, m, v, t, N, alpha=2e-3, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """Step t = 1, 2, ...: each parameter moves by about alpha, against the running mean of its g.

    g = G / N,  m <- beta1 m + (1 - beta1) g,  v <- beta2 v + (1 - beta2) g^2     adam (1) (2) (3)
    m_hat = m / (1 - beta1^t),  v_hat = v / (1 - beta2^t)    as m = v = 0 at t = 0    adam (4) (5)
    theta <- theta - alpha m_hat / (sqrt(v_hat) + epsilon)                                adam (6)
    """
    for i, (theta, G) in enumerate(zip(params, grads, strict=True)):
        g = G / N  # adam (1)
        m[i] = beta1 * m[i] + (1 - beta1) * g  # adam (2)
        v[i] = beta2 * v[i] + (1 - beta2) * g * g  # adam (3)
        m_hat = m[i] / (1 - beta1**t)  # adam (4)
        v_hat = v[i] / (1 - beta2**t)  # adam (5)
        theta -= alpha * m_hat / (np.sqrt(v_hat) + epsilon)  # adam (6)


def main(out, epochs=10):
    """Train on generated digits; then out/samples.png shows 60 codes from p(z), decoded."""
    out.mkdir(parents=True, exist_ok=True)
    images = datasets.load("strokes")[0].pixels.reshape(-1, 784) > 127  # (20000, 784), generated
    rng, params, m, v, t = np.random.default_rng(0), [], [0.0] * 8, [0.0] * 8, 0
    for I, O in ((784, H), (H, 2 * D), (D, H), (H, 784)):
        r = np.sqrt(6 / (I + O))  # by Glorot: in [-r, r] a signal keeps its size both ways
        params += [rng.uniform(-r, r, (I, O)), np.zeros(O)]  # W1, b1 to W4, b4
    for epoch in range(1, epochs + 1):
        sums = np.zeros(2)
        for rows in np.array_split(rng.permutation(len(images)), len(images) // N):
            x, eps, t = images[rows].astype(float), rng.standard_normal((len(rows), D)), t + 1
            nll, kl, kept = forward(x, eps, params)
            adam(params, backward(x, eps, params, kept), m, v, t, len(x))
            sums += nll.sum(), kl.sum()
        nll, kl = sums / len(images)  # elbo (6) (7)
        say(f"epoch {epoch}: reconstruction {nll:.2f} + kl {kl:.2f} = loss {nll + kl:.2f} nats")
    _, a = mlp(rng.standard_normal((60, D)), *params[4:])  # the decoder alone makes images
    grid = sigmoid(a).reshape(6, 10, 28, 28).swapaxes(1, 2).reshape(6 * 28, 10 * 28)
    imsave(out / "samples.png", grid.repeat(3, 0).repeat(3, 1), cmap="gray_r", vmin=0, vmax=1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="train a VAE by hand; its samples go to --out")
    parser.add_argument("--out", type=Path, default=Path("runs/vae_by_hand"))
    main(parser.parse_args().out)
