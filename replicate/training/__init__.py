"""The LightningModule that follows a recipe, and checkpoints that resume at any batch."""
