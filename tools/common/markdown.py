"""Markdown of Quarto, read line by line."""


def without_divs(text, mark):
    """Return a text without its divs that have a mark in their first line.

    Parameters
    ----------
    text : str
        Markdown. A div begins with a line such as ``::: {.notes}`` or
        ``::: {.content-hidden when-profile="student"}`` and ends with ``:::``; divs may
        stand in each other.
    mark : str
        Such as ``.notes``.
    """
    kept = []
    depth = 0  # how many divs are open, from the unwanted one on
    for line in text.splitlines(keepends=True):
        opens = line.startswith(":::") and "{" in line
        closes = line.startswith(":::") and "{" not in line
        if depth or (opens and mark in line):
            depth += opens - closes
        else:
            kept.append(line)
    return "".join(kept)
