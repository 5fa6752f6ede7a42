"""The conventions of other programs that render disks."""
