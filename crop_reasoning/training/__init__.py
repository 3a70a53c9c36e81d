"""Training: strict recipes, the checks before a run, and the run itself (base training, SFT, DPO)."""
