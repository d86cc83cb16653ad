"""Run smalldocs, which knows neither embeds nor pauses: the slides as one page.

It leaves blocks of code alone, so a program that a page includes in one is put there.

The notes for the teacher are left out, and a click shows what comes after a pause.
"""

import json
import re
import sys

from smalldocs import cli, notebook, shortcodes

from tools.common.paths import ROOT

EMBED = re.compile(r"^\{\{< embed (\S+)#(\S+?)( echo=true)? >\}\}$", re.M)
PROGRAM = re.compile(r"^\{\{< include /(\S+\.py) >\}\}$", re.M)
NOTES = re.compile(r"^::: \{\.notes\}\n.*?^:::$", re.M | re.S)
PAUSE = re.compile(r"^\. \. \.\n(.*?)(?=^## |\Z)", re.M | re.S)
FOLDED = r"<details><summary>Go on</summary>\n\n\1\n</details>\n\n"
plain_expand = shortcodes.expand


def embedded(path, name, echo):
    """Return the cell of a notebook with that label or identifier as Markdown."""
    content = json.loads(path.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        options, _ = notebook.cell_options(notebook.source(cell))
        if name in (options.get("label"), cell.get("id")):
            alone = json.dumps({**content, "cells": [cell]})
            _, markdown = notebook.to_markdown(alone, {"echo": echo})
            return markdown.replace("#cell-0", f"#cell-{name}")
    raise SystemExit(f"{path.name} has no cell with the label {name!r}.")


def expand(text, here, *rest):
    if "{{< embed" in text:
        text = PAUSE.sub(FOLDED, NOTES.sub("", text))
        text = EMBED.sub(
            lambda m: embedded(ROOT / m[1].lstrip("/"), m[2], bool(m[3])), text
        )
    text = PROGRAM.sub(
        lambda m: (ROOT / m[1]).read_text(encoding="utf-8").strip(), text
    )
    return plain_expand(text, here, *rest)


shortcodes.expand = expand
if __name__ == "__main__":
    sys.exit(cli.main())
