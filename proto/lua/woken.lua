#!lua flags=allow-oom
-- woken: runs behind a waiter's BLMOVE; what came becomes a lease, or returns to the head of ready.
-- KEYS  1 wake list   2 lease list, to be made   3 ready list   4 workers zset   5 paused   6 notify list
-- ARGV  1 worker
-- Gives 1 leased, 0 nothing came, -1 lease exists, -2 not registered, -3 paused
local wake, lease, ready, workers, paused, notify = unpack(KEYS)
local worker = ARGV[1]

local function mistyped(key, want)
  local kind = redis.call('TYPE', key).ok
  if kind ~= want and kind ~= 'none' then
    return redis.error_reply('MISTYPE ' .. key .. ' holds a ' .. kind .. ', not a ' .. want)
  end
end

local fault = mistyped(ready, 'list') or mistyped(workers, 'zset')
if fault then return fault end

local came = redis.call('TYPE', wake).ok == 'list'
local state = came and 1 or 0
if not redis.call('ZSCORE', workers, worker) then
  state = -2
elseif came and redis.call('EXISTS', lease) == 1 then
  state = -1
elseif redis.call('EXISTS', paused) == 1 then
  state = -3
end

if state == 1 then
  redis.call('RENAME', wake, lease)
  redis.pcall('LPOP', notify)
elseif came then
  -- BLMOVE took no notify token, so none goes back either.
  while redis.call('LMOVE', wake, ready, 'RIGHT', 'LEFT') do end
end
return state
