"""Serving: from a photo and words to a crop that says who produced it."""
