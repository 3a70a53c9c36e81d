"""Composition: the ten elements and what can be said of a crop from its geometry."""
