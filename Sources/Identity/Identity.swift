// Identity: filled in by its first files.
