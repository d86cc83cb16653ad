"""Files that are there as a whole, or as they were."""

import os


def write_whole(path, text):
    """Write a text file so that no reader ever sees half of it.

    The new text stands beside the file under another name until it is complete, and
    then takes its place in one step; where that fails, the file is as it was.
    """
    new = path.with_name(path.name + ".new")
    try:
        new.write_text(text, encoding="utf-8", newline="\n")
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
