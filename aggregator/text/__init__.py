"""Functions on text that several stages share: compare, normalize, parse. No input or output."""
