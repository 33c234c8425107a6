"""What was run: tasks, records, the store that keeps them, progress and provenance."""
