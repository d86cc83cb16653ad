"""Start Keras quietly, and share what one notebook defines with the others."""

import contextlib
import linecache
import os
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


@contextlib.contextmanager
def quiet_start():
    """Import Keras without the messages that TensorFlow writes when it starts.

    They are about processors and drivers, and go to the error stream of the process,
    below Python. Errors are raised as ever, and whatever is written later is shown.
    """
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
        import keras

        keras.ops.zeros(1)  # the last messages come with the first computation
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def train_without_pauses():
    """Switch off the autotuning of TensorFlow's input pipelines in this process.

    A thread that tunes them sleeps for up to a minute, and when an epoch ends, ``fit``
    waits until it wakes up. Images in memory need no tuning; the batches are the same.
    https://www.tensorflow.org/api_docs/python/tf/data/experimental/AutotuneOptions
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.data.experimental.AutotuneOptions.enabled = False


def dtype_policy():
    """Return the name of the number format that trains fastest on this processor.

    Returns
    -------
    str
        "mixed_bfloat16" where the processor has instructions for products of 16-bit
        numbers and says so (Linux, AMX or AVX-512), else "float32"; see
        https://keras.io/api/mixed_precision/.
    """
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return "float32"
    fast = {"amx_bf16", "avx512_bf16"}.intersection(flags)
    return "mixed_bfloat16" if fast else "float32"


def cell_sources(notebook, *tags):
    """Return the sources of a notebook's code cells that carry one of the tags."""
    import nbformat  # takes longer than all other imports together, seldom needed

    cells = nbformat.read(NOTEBOOKS / notebook, as_version=4).cells
    tagged = [
        (cell.source, set(tags).intersection(cell.metadata.get("tags", [])))
        for cell in cells
        if cell.cell_type == "code"
    ]
    missing = set(tags).difference(*(found for _, found in tagged))
    if missing:
        raise ValueError(
            f"{notebook} has no code cell tagged {' or '.join(sorted(missing))},"
            " expected one or more: give the tag to the cells to run."
        )
    return [source for source, found in tagged if found]


def run_cells(notebook, *tags, **names):
    """Run the cells of a notebook that carry one of the tags; return what they define.

    This is how a network has one definition: notebook 2 holds the lecture's, and
    notebooks 3 and 4 and ``make record`` take it from there.

    Parameters
    ----------
    notebook : str
        A file in ``notebooks/``, such as "02-model.ipynb".
    *tags : str
        The tags of the cells, which run from top to bottom.
    **names
        Names that exist before the first of them runs.

    Returns
    -------
    dict
        All names after the last of them, with their values. A ``ValueError`` says which
        tag no code cell of the notebook carries.
    """
    for number, source in enumerate(cell_sources(notebook, *tags), start=1):
        place = f"{notebook}, cell {number} tagged {' or '.join(tags)}"
        # Lets a traceback show the line of the notebook.
        linecache.cache[place] = len(source), None, source.splitlines(True), place
        exec(compile(source, place, "exec"), names)
    return names
