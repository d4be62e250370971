"""Rows or steps first: the first two axes of an array of sequences, swapped.

A data set holds its sequences one after the other, (N, T, D). A recurrent network goes through all
of them step by step, and what it reads at one step is to lie together, (T, N, D):

    out[t, n, d] = x[n, t, d]                                                           (1)

The same with the names exchanged leads back, which makes (1) its own inverse and its own adjoint.

Source: PyTorch's ``nn.LSTM``, where the choice is called ``batch_first``.
"""

from .kernel import Kernel
from .machine.compile import jit


def swap(out, x):
    """out (T, N, D) <- x (N, T, D)."""
    out[...] = x.swapaxes(0, 1)  # (1)


@jit
def _swap(out, x):
    N, T, D = x.shape
    for n in range(N):
        for t in range(T):
            out_tn, x_nt = out[t, n], x[n, t]
            for d in range(D):
                out_tn[d] = x_nt[d]  # (1)


def _swap_cuda(gpu, out, x):
    gpu.each("swap", x.size, out, x, *x.shape)


SWAP = Kernel(swap, _swap, _swap_cuda)
