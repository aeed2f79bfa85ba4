"""The `telar` command."""
