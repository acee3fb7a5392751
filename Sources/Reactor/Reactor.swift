// Reactor: filled in by its first files.
