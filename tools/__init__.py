"""What the commands of the Makefile call, one room for each thing that they do.

``common`` is what the rooms share, ``notebooks`` executes and exports notebooks,
``recording`` trains and keeps what the pages report, ``pages`` renders the site,
``editions`` makes copies for students and for grading, ``checks`` runs the tests.
``setup.py`` stands alone: it runs before anything is installed.
"""

import sys
from pathlib import Path

# The lecture's own packages come first, also where PYTHONPATH names a folder that has
# another `helpers`.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
