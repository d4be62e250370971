"""All package metadata; pyproject.toml holds the build system and the tools only."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="scratchae",
    version="0.1.0",
    description="Autoencoders and variational autoencoders, every gradient written out by hand and proved",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    license_files=["LICENSE"],
    author="the scratchae authors",
    python_requires=">=3.11",
    packages=[
        *find_packages(include=["scratchae", "scratchae.*"], exclude=["scratchae.kernels*"]),
        "scratchae.kernels",
        "scratchae.kernels.machine",
    ],
    package_dir={"scratchae.kernels": "kernels"},
    package_data={"scratchae": ["py.typed"], "scratchae.kernels": ["*.cu"]},
    install_requires=[
        "numpy>=2.0",
        "numba>=0.62",
        "matplotlib",
        "tqdm",
        "threadpoolctl",
        "safetensors",
        "pooch",
    ],
    extras_require={
        "cuda12": ["cupy-cuda12x[ctk]>=14"],
        "cuda13": ["cupy-cuda13x[ctk]>=14"],
        "dev": ["pytest", "hypothesis", "ruff", "mypy", "setuptools>=77"],
        "oracle": ["torch==2.13.0"],
    },
)
