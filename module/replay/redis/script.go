package redis

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// removeScript removes a key if it still has the given value: the owner's when
// a reservation ends, the delivered one when an operator forgets the event.
var removeScript = rueidis.NewLuaScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then
	return redis.call('DEL', KEYS[1])
end
return 0`)

// renewScript extends a reservation of the owner. If Redis has lost it, in a
// restart or a failover, the script recreates it. It returns 0 if the key has
// another owner.
var renewScript = rueidis.NewLuaScript(`
local value = redis.call('GET', KEYS[1])
if value == ARGV[1] then
	return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
if not value then
	redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
	return 1
end
return 0`)

func removeIf(ctx context.Context, client rueidis.Client, key, value string) (removed bool, err error) {
	return execute(ctx, client, removeScript, key, value)
}

func renew(ctx context.Context, client rueidis.Client, key, owner string, lease time.Duration) (ours bool, err error) {
	return execute(ctx, client, renewScript, key, owner, strconv.FormatInt(lease.Milliseconds(), 10))
}

// execute runs a script, and runs it once more if the connection broke.
func execute(ctx context.Context, client rueidis.Client, script *rueidis.Lua, key string, args ...string) (bool, error) {
	result := script.Exec(ctx, client, []string{key}, args)
	if result.NonRedisError() != nil && ctx.Err() == nil {
		result = script.Exec(ctx, client, []string{key}, args)
	}
	n, err := result.AsInt64()
	return n == 1, err
}
