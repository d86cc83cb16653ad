"""Execute one notebook in place, in a fresh kernel, on the real data.

The file is replaced only when every cell has run. Afterwards the time and the peak of
the kernel's resident memory are printed, as the operating system accounts for it.
"""

import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError


def main():
    path = Path(sys.argv[1])
    os.environ["CIFAR100_STAND_IN"] = "never"
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--IPKernelApp.log_level=40"],  # errors, no hints
        resources={"metadata": {"path": str(path.parent)}},
    )
    start = time.perf_counter()
    try:
        client.execute()
    except KeyboardInterrupt:
        raise SystemExit(f"{path} is left as it was: interrupted.") from None
    except CellExecutionError as error:
        raise SystemExit(
            f"{path} is left as it was: a cell stopped with {error.ename}:"
            f" {error.evalue}"
        ) from None
    except DeadKernelError:
        raise SystemExit(
            f"{path} is left as it was: its kernel died, most often for want of memory."
        ) from None
    seconds = time.perf_counter() - start
    # What the executing machine adds would change with every machine.
    notebook.metadata = {
        "kernelspec": {
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }
    new = path.with_suffix(".new")
    nbformat.write(notebook, new)
    os.replace(new, path)
    print(f"{path}: {seconds:.0f} s{_peak_memory()}")


def _peak_memory():
    """Return the most memory that a finished child process held, where it is known."""
    try:
        import resource
    except ImportError:  # Windows
        return ""
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024
    return f", at most {peak * unit / 1e9:.2f} GB of memory"


if __name__ == "__main__":
    main()
