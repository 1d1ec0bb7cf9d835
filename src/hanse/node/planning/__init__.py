"""What the step *plan* is made of: a value that is printed before it acts, and the comparisons behind it."""
