"""The parts of the page, a module each: what it says, its tables and its charts."""
