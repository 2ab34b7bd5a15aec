"""Amaranth gateware: streaming, folded stencil-update pipelines, the board link, the planner, the boards."""
