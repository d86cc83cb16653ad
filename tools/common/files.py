"""Files that are there as a whole, or as they were."""

import contextlib
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


def write_together(texts):
    """Write several text files so that all of them change, or none.

    Parameters
    ----------
    texts : dict of pathlib.Path to str
        What the files will hold. All of it is on the disk before the first file
        changes; where a later one cannot be replaced, those before it are restored.
    """
    before = {p: p.read_bytes() if p.exists() else None for p in texts}
    new = {path: path.with_name(path.name + ".new") for path in texts}
    changed = []
    try:
        for path, text in texts.items():
            new[path].write_text(text, encoding="utf-8", newline="\n")
        for path in texts:
            changed.append(path)
            os.replace(new[path], path)
    except BaseException:
        for path in changed:
            if before[path] is None:
                path.unlink(missing_ok=True)
            else:
                with contextlib.suppress(OSError):
                    path.write_bytes(before[path])
        raise
    finally:
        for path in new.values():
            path.unlink(missing_ok=True)
