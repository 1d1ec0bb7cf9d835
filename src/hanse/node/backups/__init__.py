"""Copies of homes: content-addressed files, sealed keys, and one manifest that says what belongs together."""
