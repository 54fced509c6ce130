"""What users may ask for: each command is checked in full before it changes anything."""
