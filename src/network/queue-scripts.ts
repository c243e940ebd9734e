/**
 * What {@link RedisQueue} does to BullMQ's keys in one step, where BullMQ itself needs several: between them a process may
 * die or a lease run out. Written for the keys of the BullMQ that package.json names; a test adds jobs both ways and compares.
 *
 * Keys of a queue, as BullMQ has them: the lists `wait` and `active`, the sorted sets `prioritized`, `delayed`,
 * `waiting-children`, `completed` and `failed`, the stream `events`, `marker` which wakes those that wait for jobs, and for
 * each job a hash `<id>` with `<id>:lock`, `<id>:dependencies` (children that have not ended), `<id>:processed` (results of
 * children) and `<id>:failed` (why children failed).
 *
 * All keys are made from the arguments: one Redis, no cluster.
 *
 * @module
 */

import type { Redis } from "ioredis";

/** Puts a job in the line, `front`: before those of its priority. Priority 0 is BullMQ's plain list, which goes first. */
const READY = `
local function ready(queue, id, priority, front)
  if priority == 0 then
    redis.call(front and "RPUSH" or "LPUSH", queue .. ":wait", id)
  else
    local counter = front and 0 or redis.call("INCR", queue .. ":pc") % 0x100000000
    redis.call("ZADD", queue .. ":prioritized", priority * 0x100000000 + counter, id)
  end
  redis.call("ZADD", queue .. ":marker", 0, "0")
end
local function priorityOf(key)
  return tonumber(redis.call("HGET", key, "priority") or 0) or 0
end
local function tell(queue, event, id)
  redis.call("XADD", queue .. ":events", "MAXLEN", "~", 10000, "*", "event", event, "jobId", id, "prev", "active")
end
`;

/** Since when a job is ready, by the clock of Redis, from the last event that says so; 0: nothing says so. */
const SINCE = `
local function since(queue, id)
  local entries = redis.call("XREVRANGE", queue .. ":events", "+", "-", "COUNT", 500)
  for _, entry in ipairs(entries) do
    local event, about
    for i = 1, #entry[2], 2 do
      if entry[2][i] == "event" then event = entry[2][i + 1] end
      if entry[2][i] == "jobId" then about = entry[2][i + 1] end
    end
    if event == "waiting" and about == id then return tonumber(string.match(entry[1], "^%d+")) end
  end
  if #entries < 500 then return 0 end
  return tonumber(string.match(entries[#entries][1], "^%d+"))
end
`;

const SOURCES = {
  /**
   * Adds a job and its children; or, with a token, children to a job in the hands of who has that token.
   *
   * base, kind, id, token or "", now, data, options, priority; and for each child kind, id, data, options, priority.
   * Returns 0; -2: the lease is lost; the id of a child that another job waits for.
   */
  add: `${READY}
local base, kind, id, token, now = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local data, options, priority = ARGV[6], ARGV[7], tonumber(ARGV[8])
local queue = base .. kind
local key = queue .. ":" .. id
local fresh = token == ""
if fresh then
  if redis.call("EXISTS", key) == 1 then return 0 end
elseif redis.call("GET", key .. ":lock") ~= token then
  return -2
end

for i = 9, #ARGV, 5 do
  local line, child = base .. ARGV[i], ARGV[i + 1]
  local other = redis.call("HGET", line .. ":" .. child, "parentKey")
  if other and other ~= key and redis.call("EXISTS", other) == 1
    and not redis.call("ZSCORE", line .. ":completed", child) and not redis.call("ZSCORE", line .. ":failed", child) then
    return child
  end
end

local parent = cjson.encode({ id = id, queueKey = queue, idof = true })
for i = 9, #ARGV, 5 do
  local line, child = base .. ARGV[i], ARGV[i + 1]
  local childKey = line .. ":" .. child
  if redis.call("EXISTS", childKey) == 0 then
    -- one that ended so long ago that only its parent remembers it is not done again
    if redis.call("HEXISTS", key .. ":processed", childKey) + redis.call("HEXISTS", key .. ":failed", childKey) == 0 then
      redis.call("HSET", childKey, "name", ARGV[i], "data", ARGV[i + 2], "opts", ARGV[i + 3], "timestamp", now,
        "delay", 0, "priority", ARGV[i + 4], "parentKey", key, "parent", parent)
      redis.call("SADD", key .. ":dependencies", childKey)
      ready(line, child, tonumber(ARGV[i + 4]))
    end
  elseif redis.call("ZSCORE", line .. ":completed", child) then
    redis.call("HSET", key .. ":processed", childKey, redis.call("HGET", childKey, "returnvalue") or "null")
  elseif redis.call("ZSCORE", line .. ":failed", child) then
    redis.call("HSET", key .. ":failed", childKey, redis.call("HGET", childKey, "failedReason") or "")
  else
    redis.call("HSET", childKey, "parentKey", key, "parent", parent)
    redis.call("SADD", key .. ":dependencies", childKey)
  end
end

if fresh then
  redis.call("HSET", key, "name", kind, "data", data, "opts", options, "timestamp", now, "delay", 0, "priority", priority)
else
  redis.call("HSET", key, "data", data, "opts", options, "delay", 0, "atm", 0, "stc", 0)
  redis.call("HDEL", key, "failedReason")
  redis.call("DEL", key .. ":lock")
  redis.call("SREM", queue .. ":stalled", id)
  redis.call("LREM", queue .. ":active", -1, id)
end
if redis.call("SCARD", key .. ":dependencies") > 0 then
  redis.call("ZADD", queue .. ":waiting-children", now, id)
else
  ready(queue, id, priority)
  if not fresh then tell(queue, "waiting", id) end
end
return 0`,

  /**
   * Gives a job back to the front of its line: with a token, by who has it; without, its lease is taken away.
   *
   * queue, id, token or "", how often a job may be lost. Returns 0; -2: the lease is lost; -3: nobody has it.
   */
  release: `${READY}
local queue, id, token = ARGV[1], ARGV[2], ARGV[3]
local key = queue .. ":" .. id
if token ~= "" and redis.call("GET", key .. ":lock") ~= token then return -2 end
if redis.call("LREM", queue .. ":active", -1, id) == 0 then return -3 end
redis.call("DEL", key .. ":lock")
redis.call("SREM", queue .. ":stalled", id)
if token == "" then
  if redis.call("HINCRBY", key, "stc", 1) > tonumber(ARGV[4]) then
    redis.call("HSET", key, "defa", "job stalled more than allowable limit")
  end
  tell(queue, "stalled", id)
end
ready(queue, id, priorityOf(key), true)
tell(queue, "waiting", id)
return 0`,

  /**
   * Renews leases. One that ran out while nobody else got the job is taken up again: after Redis was away, work goes on.
   *
   * queue, milliseconds; and for each job token, id. Returns the positions, from 0, of leases that are lost.
   */
  renew: `
local queue, duration = ARGV[1], ARGV[2]
local lost = {}
for i = 3, #ARGV, 2 do
  local token, id = ARGV[i], ARGV[i + 1]
  local lock = queue .. ":" .. id .. ":lock"
  local holder = redis.call("GET", lock)
  if holder == token or (not holder and redis.call("LPOS", queue .. ":active", id)) then
    redis.call("SET", lock, token, "PX", duration)
    redis.call("SREM", queue .. ":stalled", id)
  else
    lost[#lost + 1] = (i - 3) / 2
  end
end
return lost`,

  /**
   * Repairs a job that was taken but cannot be read, so that it can be read and fail; what is no job at all goes.
   *
   * queue, token. Returns the job's id, or false.
   */
  mend: `${READY}
local queue, token = ARGV[1], ARGV[2]
for _, id in ipairs(redis.call("LRANGE", queue .. ":active", 0, -1)) do
  local key = queue .. ":" .. id
  if redis.call("GET", key .. ":lock") == token then
    redis.call("DEL", key .. ":lock")
    redis.call("SREM", queue .. ":stalled", id)
    redis.call("LREM", queue .. ":active", 0, id)
    if redis.call("TYPE", key).ok ~= "hash" then
      redis.call("DEL", key)
      return id
    end
    for _, field in ipairs({ "opts", "parent", "progress" }) do
      local text = redis.call("HGET", key, field)
      local sound, value = pcall(cjson.decode, text or "")
      if not sound or (field ~= "progress" and type(value) ~= "table") then redis.call("HDEL", key, field) end
    end
    for _, field in ipairs({ "atm", "ats", "stc" }) do
      if not string.match(redis.call("HGET", key, field) or "", "^%d%d?%d?%d?%d?$") then redis.call("HDEL", key, field) end
    end
    ready(queue, id, 0, true)
    return id
  end
end
return false`,

  /** What is known of jobs: queue, now, ids. For each null, or its state and fields. */
  status: `
local queue, now = ARGV[1], tonumber(ARGV[2])
local found = {}
for i = 3, #ARGV do
  local id = ARGV[i]
  local state = false
  local delayed = redis.call("ZSCORE", queue .. ":delayed", id)
  if redis.call("ZSCORE", queue .. ":completed", id) then state = "completed"
  elseif redis.call("ZSCORE", queue .. ":failed", id) then state = "failed"
  elseif delayed then state = tonumber(delayed) < (now + 1) * 0x1000 and "waiting" or "delayed"
  elseif redis.call("ZSCORE", queue .. ":prioritized", id) then state = "waiting"
  elseif redis.call("ZSCORE", queue .. ":waiting-children", id) then state = "waiting-children"
  elseif redis.call("LPOS", queue .. ":active", id) then state = "active"
  elseif redis.call("LPOS", queue .. ":wait", id) then state = "waiting" end
  local fields = state and redis.call("HMGET", queue .. ":" .. id,
    "atm", "stc", "returnvalue", "failedReason", "processedOn")
  found[#found + 1] = fields and { state, unpack(fields) } or false
end
return found`,

  /** Jobs by state, and since when the first in line is ready: queue, now. */
  counts: `${SINCE}
local queue, now = ARGV[1], tonumber(ARGV[2])
local due = redis.call("ZCOUNT", queue .. ":delayed", 0, (now + 1) * 0x1000 - 1)
local first = redis.call("LINDEX", queue .. ":wait", -1)
  or redis.call("ZRANGE", queue .. ":prioritized", 0, 0)[1]
  or (due > 0 and redis.call("ZRANGE", queue .. ":delayed", 0, 0)[1])
local ready = 0
if first then
  local key = queue .. ":" .. first
  local fields = redis.call("HMGET", key, "timestamp", "ats")
  if fields[2] or redis.call("EXISTS", key .. ":processed", key .. ":failed") > 0 then ready = since(queue, first) end
  if ready == 0 then ready = tonumber(fields[1] or 0) or 0 end
end
return {
  redis.call("LLEN", queue .. ":wait") + redis.call("ZCARD", queue .. ":prioritized") + due,
  redis.call("LLEN", queue .. ":active"),
  redis.call("ZCARD", queue .. ":delayed") - due,
  redis.call("ZCARD", queue .. ":waiting-children"),
  redis.call("ZCARD", queue .. ":completed"),
  redis.call("ZCARD", queue .. ":failed"),
  ready,
}`,

  /** Since when a job was ready: queue, id. */
  since: `${SINCE}
return since(ARGV[1], ARGV[2])`,

  /**
   * Who is there: base; and to announce somebody id, description, milliseconds; to withdraw somebody id.
   * Returns the descriptions.
   */
  workers: `
local expiry, about = ARGV[1] .. "workers", ARGV[1] .. "workers:about"
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, id in ipairs(redis.call("ZRANGEBYSCORE", expiry, "-inf", now, "LIMIT", 0, 1000)) do
  redis.call("ZREM", expiry, id)
  redis.call("HDEL", about, id)
end
if #ARGV == 1 then return redis.call("HVALS", about) end
if #ARGV == 2 then
  redis.call("ZREM", expiry, ARGV[2])
  redis.call("HDEL", about, ARGV[2])
else
  redis.call("ZADD", expiry, now + ARGV[4], ARGV[2])
  redis.call("HSET", about, ARGV[2], ARGV[3])
end
return {}`,
} as const;

type Script = keyof typeof SOURCES;

/** Arguments and answers of the scripts. */
export interface Scripts {
  run(script: Script, args: readonly (string | number)[]): Promise<unknown>;
}

/** Makes the scripts known to a connection. They are sent once, then named by their digest. */
export function scriptsOf(redis: Redis): Scripts {
  for (const [name, lua] of Object.entries(SOURCES))
    redis.defineCommand(`chunkproof:${name}`, { lua, numberOfKeys: 0 });
  const commands = redis as unknown as Record<string, (args: readonly (string | number)[]) => Promise<unknown>>;
  // one array: a job may have more children than a call takes arguments
  return { run: (script, args) => commands[`chunkproof:${script}`]!(args) };
}
