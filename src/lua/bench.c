/* core.bench: what `raftbench bench` measures below Lua, for lua/raft/bench/. */
#include "bench/bench.h"
#include "lua/module.h"

#define BENCH_BYTES_MAX 65536
#define BENCH_COUNT_MAX 1000000000

static uint32_t count_argument(lua_State *L, int index, uint32_t most)
{
    lua_Integer count = luaL_checkinteger(L, index);
    luaL_argcheck(L, count >= 1 && count <= (lua_Integer)most, index, "out of range");
    return (uint32_t)count;
}

/* core.bench.core(entries, batch, window, entry_bytes, warm) → nanoseconds */
static int measure_core(lua_State *L)
{
    struct bench_core_options options = {
        .entries = count_argument(L, 1, BENCH_COUNT_MAX),
        .batch = count_argument(L, 2, BENCH_BATCH_MAX),
        .window = count_argument(L, 3, BENCH_COUNT_MAX),
        .entry_bytes = count_argument(L, 4, BENCH_BYTES_MAX),
        .warm = lua_toboolean(L, 5),
    };
    luaL_argcheck(L, options.window >= options.batch, 3, "less than a batch");
    lua_pushinteger(L, (lua_Integer)bench_core(&options));
    return 1;
}

/* core.bench.codec(frames, entries, entry_bytes) → ns to encode, ns to decode, bytes of a frame */
static int measure_codec(lua_State *L)
{
    struct bench_codec_times times;
    bench_codec(count_argument(L, 1, BENCH_COUNT_MAX), count_argument(L, 2, BENCH_BATCH_MAX),
                count_argument(L, 3, BENCH_BYTES_MAX), &times);
    lua_pushinteger(L, (lua_Integer)times.encode_ns);
    lua_pushinteger(L, (lua_Integer)times.decode_ns);
    lua_pushinteger(L, (lua_Integer)times.frame_bytes);
    return 3;
}

static int push_times(lua_State *L, const int64_t *time_ns, size_t count)
{
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushinteger(L, (lua_Integer)time_ns[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* core.bench.echo(rounds, bytes) → list of the round trips' ns; nil, message, code */
static int measure_echo(lua_State *L)
{
    size_t rounds = count_argument(L, 1, 1000000);
    size_t size = count_argument(L, 2, BENCH_BYTES_MAX);
    int64_t *round_trip_ns = lua_newuserdatauv(L, rounds * sizeof *round_trip_ns, 0);
    struct failure failure = {0};
    if (!bench_echo(rounds, size, round_trip_ns, &failure)) {
        return lua_failure_push(L, &failure);
    }
    return push_times(L, round_trip_ns, rounds);
}

/* core.bench.syncs(directory, rounds, bytes) → list of ns until the second of three files was
 * synced; nil, message, code */
static int measure_syncs(lua_State *L)
{
    const char *directory = luaL_checkstring(L, 1);
    size_t rounds = count_argument(L, 2, 1000000);
    size_t size = count_argument(L, 3, BENCH_BYTES_MAX);
    int64_t *second_ns = lua_newuserdatauv(L, rounds * sizeof *second_ns, 0);
    struct failure failure = {0};
    if (!bench_syncs(directory, rounds, size, second_ns, &failure)) {
        return lua_failure_push(L, &failure);
    }
    return push_times(L, second_ns, rounds);
}

static struct bytes *payloads_argument(lua_State *L, int index, size_t *count)
{
    luaL_checktype(L, index, LUA_TTABLE);
    *count = lua_rawlen(L, index);
    luaL_argcheck(L, *count >= 1 && *count <= BENCH_BYTES_MAX, index, "no list of texts");
    struct bytes *payloads = lua_newuserdatauv(L, *count * sizeof *payloads, 0);
    for (size_t i = 0; i < *count; i++) {
        lua_rawgeti(L, index, (lua_Integer)i + 1); /* the list keeps it */
        luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, index, "no list of texts");
        payloads[i].data = (const uint8_t *)lua_tolstring(L, -1, &payloads[i].size);
        lua_pop(L, 1);
    }
    return payloads;
}

static uint16_t *ports_argument(lua_State *L, int index, size_t *count)
{
    luaL_checktype(L, index, LUA_TTABLE);
    *count = lua_rawlen(L, index);
    luaL_argcheck(L, *count >= 1 && *count <= BENCH_FLOOD_PORTS_MAX, index, "no list of ports");
    uint16_t *ports = lua_newuserdatauv(L, *count * sizeof *ports, 0);
    for (size_t i = 0; i < *count; i++) {
        lua_rawgeti(L, index, (lua_Integer)i + 1);
        lua_Integer port = lua_tointeger(L, -1);
        luaL_argcheck(L, port >= 1 && port <= UINT16_MAX, index, "no list of ports");
        ports[i] = (uint16_t)port;
        lua_pop(L, 1);
    }
    return ports;
}

/* core.bench.flood(payloads, again, per_second, keep, seconds) → the two numbers of a process that
 * waits for its start; nil, message, code */
static int prepare_flood(lua_State *L)
{
    struct bench_flood_options options = {.per_second = luaL_checknumber(L, 3),
                                          .keep = count_argument(L, 4, BENCH_FLOOD_KEEP_MAX)};
    lua_Number seconds = luaL_checknumber(L, 5);
    luaL_argcheck(L, seconds > 0 && seconds <= BENCH_FLOOD_SECONDS_MAX, 5, "out of range");
    options.duration_ns = (int64_t)(seconds * 1e9);
    options.again.data = (const uint8_t *)luaL_optlstring(L, 2, "", &options.again.size);
    options.payloads = payloads_argument(L, 1, &options.payload_count);
    struct bench_flood flood;
    struct failure failure = {0};
    if (!bench_flood_prepare(&options, &flood, &failure)) {
        return lua_failure_push(L, &failure);
    }
    lua_pushinteger(L, (lua_Integer)flood.process);
    lua_pushinteger(L, flood.descriptor);
    return 2;
}

static struct bench_flood flood_argument(lua_State *L)
{
    return (struct bench_flood){.process = luaL_checkinteger(L, 1),
                                .descriptor = (int)luaL_checkinteger(L, 2)};
}

/* core.bench.flood_start(process, descriptor, ports) */
static int start_flood(lua_State *L)
{
    size_t count = 0;
    struct bench_flood flood = flood_argument(L);
    const uint16_t *ports = ports_argument(L, 3, &count);
    lua_pushboolean(L, bench_flood_start(&flood, ports, count));
    return 1;
}

/* core.bench.flood_end(process, descriptor) → connections tried. Waits for it. */
static int end_flood(lua_State *L)
{
    struct bench_flood flood = flood_argument(L);
    lua_pushinteger(L, (lua_Integer)bench_flood_end(&flood));
    return 1;
}

static const luaL_Reg functions[] = {
    {"core", measure_core},   {"codec", measure_codec},
    {"echo", measure_echo},   {"syncs", measure_syncs},
    {"flood", prepare_flood}, {"flood_start", start_flood},
    {"flood_end", end_flood}, {NULL, NULL},
};

void lua_bench_push(lua_State *L)
{
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
}
