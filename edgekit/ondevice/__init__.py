"""The code that runs on the device. Nothing of edgekit imports it, and it imports nothing of edgekit."""
