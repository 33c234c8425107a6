"""Recipes, the LightningModule that follows them, and checkpoints to resume at any batch."""
