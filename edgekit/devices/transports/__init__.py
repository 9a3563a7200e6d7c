"""How a program is started and files are moved, on this machine or another."""
