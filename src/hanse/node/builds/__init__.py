"""What the step *build* is made of: inputs under their decisions, fingerprints, one table at a time."""
