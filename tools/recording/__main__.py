"""`python -m tools.recording` lists and trains what is recorded."""

from tools.recording.record import run_as_program

run_as_program()
