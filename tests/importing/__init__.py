"""Files of other systems, and the demo."""
