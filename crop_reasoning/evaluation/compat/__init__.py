"""What published evaluators really compute, quirks included: one file a reference, one switch a behavior.

Nothing here is used to report a figure of ours. The canonical rules live in `evaluation.metrics`, `evaluation.ranking`,
`evaluation.coordinate` and `evaluation.pairs`; docs/protocols.md says where each reference departs from them.
"""
