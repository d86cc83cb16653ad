"""Files that are there as a whole, or as they were."""

import contextlib
import os
import shutil


def write_whole(path, text):
    """Write a text file so that no reader ever sees half of it.

    The new text stands beside the file under another name until it is complete, and
    then takes its place in one step; where that fails, the file is as it was. It keeps
    its permissions, and a link to it stays a link.
    """
    write_together({path: text})


def write_together(texts):
    """Write several text files so that all of them change, or none.

    Parameters
    ----------
    texts : dict of pathlib.Path to str
        What the files will hold. All of it is on the disk before the first file
        changes; where a later one cannot be replaced, those before it are restored.
    """
    texts = {path.resolve(): text for path, text in texts.items()}
    before = {p: p.read_bytes() if p.exists() else None for p in texts}
    # Names of their own: no file that a user has beside them is overwritten.
    new = {p: p.with_name(f".{p.name}.{os.getpid()}.new") for p in texts}
    changed = []
    try:
        for path, text in texts.items():
            new[path].write_text(text, encoding="utf-8", newline="\n")
            if before[path] is not None:
                shutil.copymode(path, new[path])
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
