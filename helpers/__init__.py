"""What the notebooks of the lecture share; see the docstring of each function."""

from helpers.data import Cifar100, DataError, NoDataError, load_cifar100
from helpers.exercises import check
from helpers.figures import (
    model_summary,
    plot_confusion,
    plot_images,
    plot_network,
    set_style,
)
from helpers.notebooks import (
    dtype_policy,
    quiet_start,
    run_cells,
    system_information,
)
from helpers.runs import Run, RunError, load_run, load_weights, tidy_history

__all__ = [
    "Cifar100",
    "DataError",
    "NoDataError",
    "Run",
    "RunError",
    "check",
    "dtype_policy",
    "load_cifar100",
    "load_run",
    "load_weights",
    "model_summary",
    "plot_confusion",
    "plot_images",
    "plot_network",
    "quiet_start",
    "run_cells",
    "set_style",
    "system_information",
    "tidy_history",
]
