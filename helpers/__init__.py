"""What the notebooks share: data, figures, recorded runs, exercises.

A module is imported when a name of it is first used, since Matplotlib, pandas and
seaborn take seconds, and many programs need none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for editors, which follow these names and do not run the rest
    from helpers.data import (
        DataError,
        Dataset,
        NoDataError,
        data_note,
        load_cifar100,
        load_data,
    )
    from helpers.exercises import check, check_between
    from helpers.export import export_cells
    from helpers.figures import (
        folded_table,
        model_summary,
        name_lines,
        plot_images,
        plot_network,
        set_style,
    )
    from helpers.game import compare, deal, folded_names, list_names
    from helpers.notebooks import quiet_start, train_without_pauses
    from helpers.photo import PhotoError, load_photo
    from helpers.runs import (
        Run,
        RunError,
        load_run,
        load_runs,
        load_weights,
        tidy_history,
    )
    from helpers.training import explain_interrupts

_MODULES = {
    "data": [
        "DataError",
        "Dataset",
        "NoDataError",
        "data_note",
        "load_cifar100",
        "load_data",
    ],
    "exercises": ["check", "check_between"],
    "export": ["export_cells"],
    "figures": [
        "folded_table",
        "model_summary",
        "name_lines",
        "plot_images",
        "plot_network",
        "set_style",
    ],
    "game": ["compare", "deal", "folded_names", "list_names"],
    "notebooks": ["quiet_start", "train_without_pauses"],
    "photo": ["PhotoError", "load_photo"],
    "runs": [
        "Run",
        "RunError",
        "load_run",
        "load_runs",
        "load_weights",
        "tidy_history",
    ],
    "training": ["explain_interrupts"],
}
__all__ = sorted(name for names in _MODULES.values() for name in names)


def __getattr__(name):
    """Import the module that has the name, and return what it stands for."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"helpers.{module}"), name)
    raise AttributeError(f"module 'helpers' has no attribute {name!r}")


def __dir__():
    """Return the names for completion."""
    return __all__
