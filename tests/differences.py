"""Central differences that gradients are held against; scratchae.gradcheck has no part in them."""

import numpy as np

STEP = 1e-5  # along a direction of length 1: near eps^(1/3), where a central difference errs least


def assert_gradients(f, tensors, gradients, allowed):
    """Central differences of f() along a random direction of each named tensor, against its
    gradient.

    f reads the tensors, which are moved in place. An error is measured in what a random direction
    sees of the gradient, its norm / sqrt(n).
    """
    rng = np.random.default_rng(0)
    for name, tensor in tensors.items():
        v, kept = rng.normal(size=tensor.shape), tensor.copy()
        v /= np.linalg.norm(v)
        tensor[...] = kept + STEP * v
        above = f()
        tensor[...] = kept - STEP * v
        difference = (above - f()) / (2 * STEP)
        tensor[...] = kept
        error = abs(difference - (gradients[name] * v).sum())
        assert error <= allowed * np.linalg.norm(gradients[name]) / np.sqrt(v.size), name
