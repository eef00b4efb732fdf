"""HTTP routes: thin fronts of the services, and what operators need."""
