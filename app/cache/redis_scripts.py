"""The scripts that keep scopes in Redis: `scope`, word for word, where all processes look.

KEYS of each: the scope's stamp, its marks (a hash of write -> deadline), ``born``, the time at
which this Redis first served anybody, and the newest operation time of all acknowledged writes, as
digits of equal length. Times are milliseconds of Redis's own clock, so no two machines' clocks are
compared. Marks have no time to live, so that no `volatile-*` eviction policy touches them.

That clock may go back, and Redis has no other. A time that is further in the future than can be
was taken before that: what it bounds begins anew, so it ends late and never early.
"""

LONGEST_MARK_SECONDS = 62
"""No process marks for longer: the most that `mongo_operation_seconds` may be, and the slack of
`app.bootstrap`. Processes may have other settings than the one that looks."""

_BEGIN = """
local newest = redis.call('GET', KEYS[4]) or ''
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local born = tonumber(redis.call('GET', KEYS[3]))
if not born or born > now then
    born = now
    redis.call('SET', KEYS[3], born)
end
"""

_OPEN = f"""
local marks = redis.call('HGETALL', KEYS[2])
local latest = now + {LONGEST_MARK_SECONDS * 1000}
local open = false
for i = 1, #marks, 2 do
    local deadline = tonumber(marks[i + 1])
    if deadline > latest then
        redis.call('HSET', KEYS[2], marks[i], latest)
    end
    if deadline > now then
        open = true
    else
        redis.call('HDEL', KEYS[2], marks[i])
    end
end
if open or now < born + tonumber(ARGV[2]) then
    return {{newest}}
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', 86400)
return {{newest, ARGV[1]}}
"""

MARK = (
    _BEGIN
    + """
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[2], ARGV[1], now + ARGV[2])
"""
)
"""ARGV: the write, the milliseconds it may take. See `scope.mark`."""

DONE = (
    _BEGIN
    + """
redis.call('DEL', KEYS[1])
redis.call('HDEL', KEYS[2], ARGV[3])
if ARGV[4] > newest then
    newest = ARGV[4]
    redis.call('SET', KEYS[4], newest)
end
"""
    + _OPEN
)
"""ARGV: a new stamp, the milliseconds a write may take, the write, the newest operation time.

Answers as `OPEN`. See `scope.done`.
"""

OPEN = (
    _BEGIN
    + """
local stamp = redis.call('GET', KEYS[1])
if stamp then
    return {newest, stamp}
end
"""
    + _OPEN
)
"""ARGV: a new stamp, the milliseconds a write may take. See `scope.open_for_reading`.

Returns the newest operation time, and the stamp if there is one.
"""

CLAIM = """
local newest = redis.call('GET', KEYS[3]) or ''
local body = redis.call('GET', KEYS[1])
if body then
    return {2, newest, body}
end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then
    return {1, newest}
end
return {0, newest}
"""
"""KEYS: a body, the lease on filling it, the newest operation time. ARGV: who asks, milliseconds.

Returns 2 and the body; or 1 to whoever shall fill it, 0 to whoever shall ask again. Always with the
newest operation time: a fill that read less would keep what is older than its stamp.
"""
