"""News: what happened in the homes, as each reader may know of it, and who follows what."""
