"""Training: the adversarial core, one Lightning module per member of the family, checkpoints."""
