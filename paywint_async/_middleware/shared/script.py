"""The Lua script that Redis runs, its arguments and its reply. Does no I/O.

All times are whole microseconds of the Redis server's clock, and the replies are durations: clocks of
clients are never compared. The state is one hash, so it works on a cluster:

``whole``
    the time at which the full burst is available again (the generic cell rate algorithm).
``cool``
    no request may be sent before this time.
``epoch``
    reservations of an earlier epoch are invalid. A cooldown, a lost state and a clock that was set back
    begin a new epoch, so all waiting requests reserve again: none can be sent in a cooldown, or be
    counted twice.
``seen``, ``born``
    the server's time at the latest call, and at the first one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

from paywint_async._config import RateLimit

_MICRO = 1_000_000
_FOREVER = 2**53 - 1  # the largest whole number that Lua holds exactly
_LONGEST = 10**15  # 31 years, which may be added to a time of this century
# How far ahead a process reserves: longer than a round trip, so that no turn is wasted on one, and
# short enough that a new request waits at most this long for each other process.
_RESERVE_AHEAD_SECONDS = 0.1
# How late a turn may be used, usually because the event loop was busy.
_LATE_TOLERANCE_SECONDS = 0.02

SCRIPT = """\
local key = KEYS[1]
local interval, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2])
local room, cooldown, spent = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1'
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local state = redis.call('HMGET', key, 'whole', 'cool', 'epoch', 'seen', 'born')
local whole, cool, epoch = tonumber(state[1]), tonumber(state[2]), tonumber(state[3])
local seen, born = tonumber(state[4]), tonumber(state[5])

-- The most that those who have left can have spent; the others' reservations end with their epoch.
local function begin_epoch()
  epoch = math.max(now, epoch + 1)
  whole = math.min(whole, now + tolerance + interval)
end

if not (whole and cool and epoch and seen and born) then
  -- Lost, or never there: nothing is saved up, so that a loss never brings a second burst.
  whole, cool, epoch, born = now + tolerance, 0, now, now
elseif seen - now > 1000000 then
  -- The clock was set back: all that is known moves along.
  whole, cool = whole - (seen - now), cool - (seen - now)
  begin_epoch()
else
  now = math.max(now, seen)
end
if spent then
  whole = math.max(whole, now + tolerance)
end
if now + cooldown > math.max(now, cool) then
  cool = now + cooldown
  begin_epoch()
end

local answer = {epoch, now, math.max(0, cool - now), born}
for at = 6, #ARGV, 4 do
  local held_in, slot = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  local latest, patience = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  if held_in == epoch and now <= latest then
    answer[#answer + 1] = math.max(0, slot - now)
  else
    slot = math.max(now, whole - tolerance, cool)
    if slot - now > patience then
      answer[#answer + 1] = -1 - (slot - now)
    elseif slot > now and room < 1 and held_in == 0 then
      break
    else
      if slot > now then
        room = room - 1
      end
      whole = math.max(whole, slot) + interval
      answer[#answer + 1] = slot - now
    end
  end
end

local function digits(number)
  return string.format('%.0f', number)
end
redis.call('HSET', key, 'whole', digits(whole), 'cool', digits(cool),
  'epoch', digits(epoch), 'seen', digits(now), 'born', digits(born))
redis.call('PEXPIRE', key, digits(math.ceil((math.max(whole, cool, now) - now) / 1000) + 86400000))
return answer
"""
# Redis identifies scripts by SHA-1; no security depends on it.
SCRIPT_SHA = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()


class TurnRequest:
    """A request that waits for a turn: without a slot yet, or with one to be confirmed.

    Args:
        deadline: the time by which the turn must come (event loop clock).
    """

    __slots__ = ("deadline", "epoch", "latest", "slot")

    def __init__(self, deadline: float | None) -> None:
        self.deadline = deadline
        self.epoch = self.slot = self.latest = 0


class ScriptReply:
    """The script's reply: the wait of each turn request, in their order.

    It may have fewer entries than requests: the others ask again when there is room.

    Raises:
        ValueError: this is not a reply of the script.
    """

    def __init__(self, raw: object, asked: int) -> None:
        numbers = raw if isinstance(raw, list) else []
        if not 4 <= len(numbers) <= 4 + asked or not all(type(n) is int for n in numbers):
            raise ValueError("not a reply of the script")
        self.epoch: int = numbers[0]
        self.now: int = numbers[1]
        self.cooldown: float = numbers[2] / _MICRO
        self.born: int = numbers[3]
        self.waits: list[int] = numbers[4:]
        """Microseconds; a negative number is a refusal: minus the wait, minus one."""


class RateArguments:
    """Converts a rate limit to the script's arguments.

    ``ahead`` is the number of turns that one process may have reserved for later.
    """

    def __init__(self, limit: RateLimit) -> None:
        self.burst = limit.burst
        self._interval = _micro(limit.per_seconds / limit.requests)
        self._tolerance = min(_LONGEST, self._interval * (limit.burst - 1))
        self._slack = max(self._tolerance + self._interval, _micro(_LATE_TOLERANCE_SECONDS))
        self.ahead = 1 + _micro(_RESERVE_AHEAD_SECONDS) // self._interval

    def arguments(
        self, asks: Sequence[TurnRequest], *, now: float, room: int, cooldown: float, spent: bool
    ) -> list[int]:
        """The script's arguments.

        Args:
            asks: the requests for turns, in order of arrival.
            now: the time of the event loop's clock.
            room: how many more turns may be reserved.
            cooldown: seconds from now, to be published; 0: none.
            spent: requests were sent without asking Redis, so that no burst is left.
        """
        arguments = [
            self._interval,
            self._tolerance,
            room,
            _micro(cooldown),
            int(spent),
        ]
        for ask in asks:
            arguments += [ask.epoch, ask.slot, ask.latest, _patience(ask, now)]
        return arguments

    def reserve(self, ask: TurnRequest, answer: ScriptReply, wait: int) -> None:
        """Stores the slot that a turn request was given.

        A request that is too late for its slot loses it, but only once, so that a slow process does not
        starve.
        """
        was_late = ask.epoch == answer.epoch and answer.now > ask.latest
        slack = _FOREVER if was_late else self._slack
        ask.epoch, ask.slot = answer.epoch, answer.now + wait
        ask.latest = min(_FOREVER, ask.slot + slack)


def _micro(seconds: float) -> int:
    return math.ceil(min(_LONGEST, seconds * _MICRO))


def _patience(ask: TurnRequest, now: float) -> int:
    if ask.deadline is None:
        return _FOREVER
    return max(0, _micro(ask.deadline - now))
