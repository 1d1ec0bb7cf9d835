"""What the step test needs of the node: other products' tables, and what of a sample its viewer may see."""
