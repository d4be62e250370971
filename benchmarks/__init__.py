"""Measurements of this library, beside PyTorch and beside what the machine can do."""
