"""Builders: raw data sets in, canonical records out. One file a data set."""
