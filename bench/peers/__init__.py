"""The same work without Telar: by hand in batches, and by what others would use."""
