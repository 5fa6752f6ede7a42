"""The generator of gas disks: what they are made of, drawn and tuned, and what is painted on it."""
