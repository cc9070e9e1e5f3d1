"""Pictures of curves: what is drawn, and how, on a terminal, as SVG and as PNG."""
