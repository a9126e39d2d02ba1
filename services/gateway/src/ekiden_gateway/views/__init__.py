"""From what is stored to what is shown: pure functions, and nothing internal gets through."""
