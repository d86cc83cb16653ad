"""Markdown of Quarto: leave out divs and links."""

import re


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


def without_divs_that(text, wanted):
    """Return a text without its innermost divs about something.

    Parameters
    ----------
    text : str
        Markdown, as for `without_divs`.
    wanted : callable
        Gets what stands in a div that holds no other; returns whether it goes.
    """
    innermost = re.compile(r"^:::+ *\{.*\}\n((?:(?!:::).*\n)*):::+\n\n?", re.M)
    return innermost.sub(lambda div: "" if wanted(div[1]) else div[0], text)


def without_links(text, names):
    """Return a text in which links to these files are words; pictures stay.

    A paragraph that is nothing but such a link, with its full stop, is left out.
    """
    for name in names:
        file = re.escape(name.rpartition("/")[2])
        link = rf"(?<!!)\[([^]]*)\]\((?:[^)\s]*/)?{file}(?:#[^)]*)?\)"
        text = re.sub(rf"\n\n{link}\.(?=\n\n|\s*\Z)", "", text)
        text = re.sub(link, r"\1", text)
    return text
