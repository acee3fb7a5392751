// HTTP: filled in by its first files.
