// Policy: filled in by its first files.
