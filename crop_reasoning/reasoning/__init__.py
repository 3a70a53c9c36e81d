"""Reasoning: the answer's grammar, the prompts, chat samples and their lengths."""
