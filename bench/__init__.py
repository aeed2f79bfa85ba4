"""Telar, the same work by hand, and its peers, measured side by side in one run (make bench)."""
