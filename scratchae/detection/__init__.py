"""Held-out numbers: the terms of an objective, and what a model is good for as a detector of anomalies."""

from .detection import Detector, absolute_error, negative_log_likelihood, squared_error
from .report import Report, average_precision, report, roc_auc
from .score import score
from .series import points, windows
from .terms import evaluate, fitting_source, held_out
from .thresholds import DetectionWarning, FalseAlarms, Maximum, MeanStd, Quantile

__all__ = [
    "DetectionWarning",
    "Detector",
    "FalseAlarms",
    "Maximum",
    "MeanStd",
    "Quantile",
    "Report",
    "absolute_error",
    "average_precision",
    "evaluate",
    "fitting_source",
    "held_out",
    "negative_log_likelihood",
    "points",
    "report",
    "roc_auc",
    "score",
    "squared_error",
    "windows",
]
