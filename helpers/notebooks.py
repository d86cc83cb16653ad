"""Start quietly, and share what a notebook defines with the other notebooks."""

import contextlib
import linecache
import os
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from IPython.utils.sysinfo import get_sys_info

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


@contextlib.contextmanager
def quiet_start():
    """Import Keras without TensorFlow's messages, and train without its pauses.

    TensorFlow writes messages about processors and drivers to the error stream of the
    process, below Python, before its own ``TF_CPP_MIN_LOG_LEVEL`` takes effect. Errors
    are raised as ever.

    Its input pipelines tune themselves in a thread that sleeps for up to a minute, and
    when an epoch ends, ``fit`` waits until that thread wakes up. Images in memory need
    no tuning, so it is off from here on; the batches are the same.

    References
    ----------
    https://www.tensorflow.org/api_docs/python/tf/data/experimental/AutotuneOptions
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        import tensorflow as tf

        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    tf.data.experimental.AutotuneOptions.enabled = False


def dtype_policy():
    """Return the name of the number format that trains fastest on this processor.

    Returns
    -------
    str
        "mixed_bfloat16" where the processor has instructions for products of numbers
        of 16 bits and says so (Linux, AMX or AVX-512), else "float32".

    References
    ----------
    https://keras.io/api/mixed_precision/
    """
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return "float32"
    fast = {"amx_bf16", "avx512_bf16"}.intersection(flags)
    return "mixed_bfloat16" if fast else "float32"


def system_information():
    """Return what a reader needs to know of the machine to repeat the results.

    Returns
    -------
    pandas.DataFrame
        A row for each of IPython's facts about the system, without the paths of this
        machine, and for the version of each package that decides the numbers.
    """
    system = get_sys_info()
    facts = {
        name: system[name] for name in ("ipython_version", "platform", "sys_version")
    }
    facts["cores"] = os.cpu_count()
    for package in ("tensorflow", "keras", "numpy", "pandas", "matplotlib", "seaborn"):
        facts[package] = version(package)
    return pd.DataFrame({"value": facts})


def cell_sources(notebook, *tags):
    """Return the source of each code cell of a notebook that carries one of the tags.

    Parameters
    ----------
    notebook : str
        A file in ``notebooks/``, such as "02-model.ipynb".
    *tags : str
        The tags.

    Returns
    -------
    list of str
        The sources, from top to bottom.

    Raises
    ------
    ValueError
        If no code cell of the notebook carries one of the tags.
    """
    import nbformat  # takes longer than all other imports together, seldom needed

    cells = nbformat.read(NOTEBOOKS / notebook, as_version=4).cells
    tagged = [
        (cell.source, cell.metadata.get("tags", []))
        for cell in cells
        if cell.cell_type == "code"
    ]
    for tag in tags:
        if not any(tag in its_tags for _, its_tags in tagged):
            raise ValueError(
                f"{notebook} has no code cell with the tag {tag!r}: give the tag to the"
                " cells to run."
            )
    return [source for source, its_tags in tagged if set(tags).intersection(its_tags)]


def run_cells(notebook, *tags, **names):
    """Run the cells of a notebook that carry one of the tags; return what they define.

    This is how a network has one definition: notebook 2 holds the lecture's, notebooks
    3 and 4, ``make train`` and ``make bench`` take it from there.

    Parameters
    ----------
    notebook, *tags : str
        As in `cell_sources`.
    **names
        Names that exist before the first of them runs.

    Returns
    -------
    dict
        All names after the last of them, with their values.
    """
    for number, source in enumerate(cell_sources(notebook, *tags), start=1):
        place = f"{notebook}, cell {number} tagged {' or '.join(tags)}"
        # Lets a traceback show the line of the notebook.
        linecache.cache[place] = len(source), None, source.splitlines(True), place
        exec(compile(source, place, "exec"), names)
    return names
