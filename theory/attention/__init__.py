"""The fourth scalar a, the strength of attention: loss, critical sets, and curvatures there."""
