"""The `telar` command and the parts of the stack that need neither server nor socket."""
