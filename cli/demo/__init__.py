"""`telar demo`: a whole programme, driven through the public API only."""
