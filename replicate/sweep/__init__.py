"""From an experiment to its runs done: which are asked for, whether they can be, and who does them."""
