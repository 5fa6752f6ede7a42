"""What a disk has besides its plain profiles: clumps, rings."""
