"""The GPU's backend: CuPy arrays, launches of the .cu files, cuBLAS. CuPy is imported when it is
asked for."""
