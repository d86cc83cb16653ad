"""What the notebooks of the lecture share; see the docstring of each function."""

from helpers.data import Cifar100, DataError, load_cifar100
from helpers.notebooks import quiet_start, run_cells

__all__ = ["Cifar100", "DataError", "load_cifar100", "quiet_start", "run_cells"]
