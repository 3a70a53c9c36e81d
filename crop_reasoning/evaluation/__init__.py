"""Evaluation: predictions are files, scoring is pure; only `predict` and `preference` ever call an engine."""
