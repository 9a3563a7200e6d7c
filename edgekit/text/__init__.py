"""Text for people: made safe to show, aligned in tables."""
