"""What the suite says of itself: every claim with its answer, tables with what re-makes them, errata, README."""
