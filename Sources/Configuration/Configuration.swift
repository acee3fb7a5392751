// Configuration: filled in by its first files.
