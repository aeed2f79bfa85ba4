"""What an operator does: look at what waits, mend it, and verify the whole."""
