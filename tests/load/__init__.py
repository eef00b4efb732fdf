"""How many can use it at once? Sweeps over the number of clients, per service and over the whole.

`python -m tests.load --help`. Each client speaks real speech in real time at a server on this machine, says
other things than its neighbours and starts a little after them; what happens before all have started is left
out. `python -m tests.load.llm` is the mind alone, with replies that are broken off.
"""
