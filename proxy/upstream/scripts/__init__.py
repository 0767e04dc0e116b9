"""Scripts for the rehearsal model."""
