"""Render the pages and slides, and draw their pictures."""
