"""Engines: text generation behind one call, whoever runs the model."""
