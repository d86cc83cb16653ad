"""Finish the rendered pages: Quarto and smalldocs run this after each rendering.

It is `post-render` in _quarto.yml, and needs nothing but Python.
"""

import os
import re
import shutil
from pathlib import Path

# Quarto gives every page with a data frame, and the slides, two scripts for interactive
# widgets and a line that needs them, from other hosts, and has no option against it;
# this lecture has no such widgets.
SCRIPTS = re.compile(
    rb"""<script [^>]*src="https?:[^>]*></script>\s*"""
    rb"""|<script [^>]*>define\('jquery'.*?</script>\s*"""
)
# Quarto's slides forbid to enlarge them with two fingers.
FORBIDDEN = b", maximum-scale=1.0, user-scalable=no, minimal-ui"
# Neither renderer lets the Tab key skip the navigation; what they include before the
# body stands behind it.
BODY = re.compile(rb"<body[^>]*>")
MAIN = b'id="quarto-document-content"'
SKIP = b'<a class="skip" href="#quarto-document-content">Skip to the text</a>'
# The themes of smalldocs load their fonts from another host.
FONTS = re.compile(r"@import url\([^)]*\);")
# The old addresses of a page, from which Quarto leads to the new one.
ALIASES = re.compile(r"^aliases:\n((?: +- \S+\n)+)", re.M)
MOVED = """<!doctype html><title>Moved</title>
<meta http-equiv="refresh" content="0; url={0}"><a href="{0}">{0}</a>
"""


def add_skip_links(site):
    """Begin each page with a link to its text."""
    for page in site.rglob("*.html"):
        content = page.read_bytes()
        if MAIN in content and SKIP not in content:
            page.write_bytes(BODY.sub(lambda body: body[0] + SKIP, content, count=1))


def finish_quarto(site):
    """Let pages load nothing from other hosts, and let readers enlarge slides."""
    for page in site.rglob("*.html"):
        content = page.read_bytes()
        finished = SCRIPTS.sub(b"", content).replace(FORBIDDEN, b"")
        if finished != content:
            page.write_bytes(finished)


def finish_smalldocs(site):
    """Add notebooks and old addresses, which it leaves out, and take out its fonts."""
    for path in Path("notebooks").glob("*.ipynb"):
        shutil.copy(path, site / "notebooks")
    for path in Path("pages").glob("*.qmd"):
        block = ALIASES.search(path.read_text(encoding="utf-8"))
        for name in re.findall(r"- (\S+)", block[1] if block else ""):
            new = MOVED.format(path.with_suffix(".html").name)
            (site / "pages" / name).write_text(new, encoding="utf-8")
    for path in site.glob("site_libs/themes/*.css"):
        text = path.read_text(encoding="utf-8")
        path.write_text(FONTS.sub("", text), encoding="utf-8")


def main():
    site = Path(os.environ["QUARTO_PROJECT_OUTPUT_DIR"])
    if "SMALLDOCS" in os.environ:
        finish_smalldocs(site)
    else:
        finish_quarto(site)
    add_skip_links(site)


if __name__ == "__main__":
    main()
