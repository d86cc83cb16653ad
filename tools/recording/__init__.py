"""Train what the pages report, and keep each training in a folder of runs/."""
