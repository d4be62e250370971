"""What a model is good for as a detector of anomalies: scores, thresholds, reports, windows of a
series."""

from .detector import Detector, absolute_error, negative_log_likelihood, squared_error
from .reports import Report, average_precision, report, roc_auc
from .series import points, windows
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
    "negative_log_likelihood",
    "points",
    "report",
    "roc_auc",
    "squared_error",
    "windows",
]
