"""Turn-taking: who has the floor. Pure logic: events and times go in, commands come out."""
