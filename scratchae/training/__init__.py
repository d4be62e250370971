"""Training: fit, what may be done between epochs, progress, and pretraining layer by layer."""
