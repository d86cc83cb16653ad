"""What the rooms share: paths, files, the environment of notebooks, provenance."""
