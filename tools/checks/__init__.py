"""Run the tests, and the notebooks against their stored outputs."""
