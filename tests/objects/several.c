/* Several programs of several types in one file, two of them in one section, which share a function and a map. */
#include "bpf.h"

struct {
	NUMBER(type, ARRAY);
	NUMBER(max_entries, 4);
	TYPE(key, u32);
	TYPE(value, u64);
} runs SEC(".maps");

struct {
	NUMBER(type, SK_STORAGE);
	NUMBER(map_flags, 1);
	TYPE(key, int);
	TYPE(value, u64);
} sockets SEC(".maps");

static NOINLINE u64 run(u32 which)
{
	u64 *count = map_lookup(&runs, &which);

	return count ? __sync_fetch_and_add(count, 1) : 0;
}

NOINLINE int not_mine(u64 x)
{
	return x % 7;
}

SEC("xdp")
int first(struct xdp *context)
{
	return run(0) & 1 ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int second(struct xdp *context)
{
	return not_mine(run(1) + 5);
}

SEC("tc/ingress")
int third(struct sk_buff *skb)
{
	return run(2) + skb->len;
}

SEC("socket")
int fourth(struct sk_buff *skb)
{
	return run(3) > 2 ? 0 : 64;
}

/* Needs a kind of map that only sockets have. */
SEC("sockops")
int fifth(void *context)
{
	return !map_lookup(&sockets, context);
}
