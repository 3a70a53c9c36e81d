"""Fine-tune an open vision-language model to crop photographs, step by step: analysis, proposals, decision."""

__version__ = "0.1.0"
