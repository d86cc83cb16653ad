"""Take out of the pages what Quarto would have them load from other hosts.

Quarto runs this after each rendering (`post-render` in _quarto.yml). It gives every
page with a data frame, and the slides, two scripts for interactive widgets and a line
that needs them, and has no option against it; this lecture has no such widgets.
"""

import os
import re
from pathlib import Path

SCRIPTS = re.compile(
    rb"""<script [^>]*src="https?:[^>]*></script>\s*"""
    rb"""|<script [^>]*>define\('jquery'.*?</script>\s*"""
)


def main():
    for page in Path(os.environ["QUARTO_PROJECT_OUTPUT_DIR"]).rglob("*.html"):
        content = page.read_bytes()
        if SCRIPTS.search(content):
            page.write_bytes(SCRIPTS.sub(b"", content))


if __name__ == "__main__":
    main()
