"""How metrics agree with each other, and with people."""
