"""How a step is carried out: on threads, or as a CUDA graph. No mathematics."""
