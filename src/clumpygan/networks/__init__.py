"""The networks and their losses: plain torch modules that know no astronomy beyond their shapes."""
