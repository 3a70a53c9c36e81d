"""Models: the families we know, how they are loaded, adapted and merged, and the embedded nano model."""
