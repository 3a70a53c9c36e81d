"""The verifier: what a rationale claims, read clause by clause and held against what was measured of its photo."""
