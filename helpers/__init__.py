"""What the notebooks share; a module is imported when a name of it is first used."""

from importlib import import_module

_NAMES = {
    "data": "DataError Dataset NoDataError load_cifar100 load_data",
    "exercises": "check check_between",
    "figures": "model_summary plot_images plot_network set_style",
    "notebooks": "dtype_policy quiet_start run_cells train_without_pauses",
    "runs": "Run RunError load_run load_runs tidy_history",
}
__all__ = sorted(" ".join(_NAMES.values()).split())
__dir__ = __all__.copy  # for completion


def __getattr__(name):
    for module, names in _NAMES.items():
        if name in names.split():
            return getattr(import_module(f"helpers.{module}"), name)
    raise AttributeError(f"module 'helpers' has no attribute {name!r}")
