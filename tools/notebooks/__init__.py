"""Execute the notebooks in place."""
