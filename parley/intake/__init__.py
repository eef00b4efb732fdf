"""Files from strangers: decoded in a process of their own that can do little else."""
