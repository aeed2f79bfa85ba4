"""One module a measure: what is run, against what, and the figure that comes out."""
