"""What the notebooks of the lecture share; see the docstring of each function.

A name is imported when it is first used, so that a cell waits only for what it needs.
"""

import importlib

_MODULES = {
    "data": ("Cifar100", "DataError", "NoDataError", "load_cifar100"),
    "exercises": ("check",),
    "figures": (
        "model_summary",
        "plot_confusion",
        "plot_images",
        "plot_network",
        "set_style",
    ),
    "notebooks": (
        "dtype_policy",
        "quiet_start",
        "run_cells",
        "system_information",
        "train_without_pauses",
    ),
    "runs": (
        "Run",
        "RunError",
        "load_run",
        "load_runs",
        "load_weights",
        "tidy_history",
    ),
}
__all__ = sorted(name for names in _MODULES.values() for name in names)


def __getattr__(name):
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"helpers.{module}"), name)
    raise AttributeError(f"module 'helpers' has no attribute {name!r}")
