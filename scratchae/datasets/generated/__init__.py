"""Data that a program draws, the same for everybody: strokes, heart beats, a daily series, a
surface."""
