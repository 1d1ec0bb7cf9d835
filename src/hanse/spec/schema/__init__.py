"""The standards' JSON Schemas, by kind and version, and their errors told at the true cause."""
