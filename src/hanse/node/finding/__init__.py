"""What can be found and by which words; an index that can be thrown away, and what a reader may know of it."""
