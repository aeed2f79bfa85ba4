"""How Telar is put on machines: one machine here, clusters later."""
