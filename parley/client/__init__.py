"""A client of the public websocket: microphone, player and recorder in one."""

from parley.client.ask import ask, speech_bounds
from parley.client.client import ReplyRecord, TalkClient
from parley.client.microphone import Microphone
from parley.client.player import Player

__all__ = ["Microphone", "Player", "ReplyRecord", "TalkClient", "ask", "speech_bounds"]
