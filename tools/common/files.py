"""Files that are there as a whole, or as they were."""

import os
import shutil


def write_whole(path, text):
    """Write a text file so that no reader ever sees half of it.

    The new text stands beside the file under another name until it is complete, and
    then takes its place in one step; where that fails, the file is as it was. It keeps
    its permissions, and a link to it stays a link.
    """
    path = path.resolve()
    new = path.with_name(path.name + ".new")
    try:
        new.write_text(text, encoding="utf-8", newline="\n")
        if path.exists():
            shutil.copymode(path, new)
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
