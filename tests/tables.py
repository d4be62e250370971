"""What a table of another library, or a column of one, is to NumPy."""

import numpy as np


class Table:
    """It has values, a length and __array__, as a DataFrame of pandas does."""

    def __init__(self, values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)
