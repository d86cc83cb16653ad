"""Render the pages where Quarto is not at hand, with smalldocs.

smalldocs reads the files of Quarto and passes over what it does not know. Five things
are added here:

- an embed shows the cell of a notebook that has the label or the id;
- the options of a cell may begin with `# |` as well, as black writes them;
- the slides become one page to read, without the notes for the teacher, where a click
  opens what comes after a pause;
- a program that a page includes in a block of code is put there;
- warnings about options that are meant for Quarto alone are left out.
"""

import json
import re
import sys

from smalldocs import notebook, shortcodes
from smalldocs.config import BuildError, ConfigError
from smalldocs.site import build

from tools.common.markdown import without_divs

# Each is the end of a warning: the beginning names the file.
FOR_QUARTO_ALONE = (
    "format.html.respect-user-color-scheme is ignored",  # the pages have a switch
    "format.html.html-math-method is ignored",  # smalldocs writes MathML anyway
    "format.html.filters is ignored",  # pages/code.lua: commands get a ground
    "filters is not read by smalldocs",  # slides/embed.lua: it tidies Quarto's embeds
    "aliases is not read by smalldocs",  # an old address that leads to its new page
    "format revealjs is not built: smalldocs makes only html",
    "smalldocs compiles no Sass; use css: and the --bs-* variables",  # pages/fonts.scss
    "unknown key website.open-graph.image",  # it reads website.image
    "unknown key website.open-graph.image-alt",
)
EMBED = re.compile(r"^\{\{< embed (\S+)#(\S+?)( echo=true)? >\}\}$", re.M)
PROGRAM = re.compile(r"^\{\{< include /(\S+\.py) >\}\}$", re.M)
BLACK = re.compile(r"\A(# ?\|.*\n)+")
PAUSE = "\n. . .\n"
plain_expand = shortcodes.expand
plain_options = notebook.cell_options


def cell_options(code):
    """Return the options of a cell, and the code without them."""
    return plain_options(BLACK.sub(lambda first: first[0].replace("# |", "#|"), code))


def embedded(path, name, echo):
    """Return the cell of a notebook with that label or identifier as Markdown."""
    content = json.loads(path.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        options, _ = cell_options(notebook.source(cell))
        if name in (options.get("label"), cell.get("id")):
            alone = json.dumps({**content, "cells": [cell]})
            _, markdown = notebook.to_markdown(alone, {"echo": echo})
            return markdown.replace("#cell-0", f"#cell-{name}")
    raise BuildError(f"{path.name} has no cell with the label {name!r}")


def folded(slide):
    """Return a slide on which a click opens what comes after a pause."""
    shown, *later = slide.split(PAUSE)
    for part in later:
        shown += f"\n<details><summary>Go on</summary>\n\n{part}\n</details>\n\n"
    return shown


def expand(text, here, root, *rest):
    """Return a page with its embeds and shortcodes replaced by what they stand for.

    smalldocs calls this for every page that has a shortcode.
    """
    if here == root / "slides" / "index.qmd":
        slides = re.split(r"^(?=## )", without_divs(text, ".notes"), flags=re.M)
        text = "".join(folded(slide) for slide in slides)

    def cell(embed):
        path, name, echo = embed.groups()
        return embedded(root / path.lstrip("/"), name, bool(echo))

    def program(include):
        return (root / include[1]).read_text(encoding="utf-8").strip()

    text = PROGRAM.sub(program, EMBED.sub(cell, text))
    return plain_expand(text, here, root, *rest)


def main(root):
    shortcodes.expand = expand
    notebook.cell_options = cell_options
    try:
        site = build(root, quiet=True)
    except (BuildError, ConfigError) as error:
        raise SystemExit(f"Not rendered: {error}.") from None
    for warning in site.warnings:
        if not warning.endswith(FOR_QUARTO_ALONE):
            print(f"warning: {warning}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1])
