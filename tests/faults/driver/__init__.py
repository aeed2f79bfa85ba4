"""Driver calls that err, never answer, or succeed and then err, at every call site."""
