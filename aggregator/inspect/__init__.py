"""What the commands report about the stored state."""
