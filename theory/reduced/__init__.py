"""The three scalars (e, w, b): loss, critical points, flow, basins, kink, escape."""
