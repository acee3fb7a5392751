// Gateway: filled in by its first files.
