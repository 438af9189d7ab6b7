#!lua flags=allow-oom,no-writes
-- sizes: how much of everything one queue holds.
-- KEYS  1 ready list   2 delayed zset   3 reserved zset   4 dead zset   5 paused   6 workers zset
-- ARGV  none
-- Gives ready, delayed, reserved, leased (-1: not counted here), dead, paused (0 or 1), workers; -1 for a wrong type
local ready, delayed, reserved, dead, paused, workers = unpack(KEYS)

local function count(command, key)
  local size = redis.pcall(command, key)
  return type(size) == 'table' and -1 or size
end

return {
  count('LLEN', ready), count('ZCARD', delayed), count('ZCARD', reserved), -1,
  count('ZCARD', dead), redis.call('EXISTS', paused), count('ZCARD', workers),
}
