"""How a trained network is asked: which views of an image it sees, and how its answers become one."""
