"""Copies of the lecture: for students, for grading, for Google Colab."""
