"""The three scalars (e, w, b): loss, critical points, degenerate lines, flow, basins, escape."""
