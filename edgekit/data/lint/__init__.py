"""What is probably wrong with data and the way they are fed, said before any work starts."""
