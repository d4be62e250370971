"""All package metadata; pyproject.toml holds the build system and the tools only."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
PACKAGE = (HERE / "scratchae" / "__init__.py").read_text(encoding="utf-8")
(VERSION,) = re.findall(r'^__version__ = "(.+)"$', PACKAGE, flags=re.MULTILINE)

setup(
    name="scratchae",
    version=VERSION,
    description=(
        "Autoencoders and variational autoencoders, every gradient written out by hand and proved"
    ),
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    license_files=["LICENSE"],
    author="the scratchae authors",
    keywords=[
        *("autoencoder", "variational autoencoder", "VAE", "denoising", "sparse coding"),
        *("anomaly detection", "backpropagation", "gradient check", "deep learning"),
        *("machine learning", "from scratch", "education", "NumPy", "Numba", "CUDA"),
    ],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Education",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Programming Language :: Python :: 3.14",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    packages=[
        *find_packages(include=["scratchae", "scratchae.*"], exclude=["scratchae.kernels*"]),
        "scratchae.kernels",
        "scratchae.kernels.machine",
    ],
    package_dir={"scratchae.kernels": "kernels"},
    package_data={"scratchae": ["py.typed"], "scratchae.kernels": ["*.cu"]},
    install_requires=[  # the lowest versions that were tried, all at once: .ci/lowest.txt
        "numpy>=2.0",
        "numba>=0.62",
        "matplotlib>=3.9",
        "tqdm>=4.62",
        # older ones do not find the BLAS of NumPy 2, and leave its threads alone
        "threadpoolctl>=3.5",
        "pooch>=1.6",
    ],
    extras_require={
        # not cupy's extra ctk, which brings FFT, solvers and the like: 1 GB that nothing uses
        "cuda12": ["cupy-cuda12x>=14", "cuda-toolkit[cublas,cudart,nvrtc]==12.*"],
        "cuda13": ["cupy-cuda13x>=14", "cuda-toolkit[cublas,cudart,nvrtc]==13.*"],
        "dev": [
            *("pytest>=8.0", "pytest-xdist>=3.5", "pytest-cov>=5.0", "hypothesis>=6.100"),
            "safetensors>=0.4",  # reads what save writes; the library has its own reader
            *("ruff>=0.17", "mypy>=2.0", "setuptools>=77.0.1"),
        ],
        "oracle": ["torch==2.13.0"],
    },
)
