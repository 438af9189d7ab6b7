#!lua flags=allow-oom,no-writes
-- dead_list: dead letters, newest first, a page at a time.
-- KEYS  1 dead zset   2 dead jobs hash
-- ARGV  1 id behind which the page begins, '' from the start   2 at most so many
-- Gives an array of [id, score, meta]; nil if the letter to begin behind is gone
local dead, jobs = KEYS[1], KEYS[2]
local cursor, limit = ARGV[1], tonumber(ARGV[2])

local from = 0
if cursor ~= '' then
  local rank = redis.call('ZREVRANK', dead, cursor)
  if not rank then return false end
  from = rank + 1
end
local page = {}
local found = redis.call('ZREVRANGE', dead, from, from + limit - 1, 'WITHSCORES')
for n = 1, #found, 2 do
  local meta = redis.call('HGET', jobs, found[n] .. ':meta')
  page[#page + 1] = {found[n], found[n + 1], meta or ''}
end
return page
