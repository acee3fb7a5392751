// Settings: filled in by its first files.
