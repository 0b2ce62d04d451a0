/* Drops by source address: prefixes of IPv4 and IPv6 in tries, with a count of packets and bytes for each. */
#include "net.h"

struct key4 {
	u32 length;
	u32 address;
};

struct key6 {
	u32 length;
	u8 address[16];
};

struct rule {
	u64 packets;
	u64 bytes;
	u32 action;
	u32 pad;
};

struct {
	NUMBER(type, LPM_TRIE);
	NUMBER(map_flags, NO_PREALLOC);
	NUMBER(max_entries, 1024);
	TYPE(key, struct key4);
	TYPE(value, struct rule);
} blocked4 SEC(".maps");

struct {
	NUMBER(type, LPM_TRIE);
	NUMBER(map_flags, NO_PREALLOC);
	NUMBER(max_entries, 1024);
	TYPE(key, struct key6);
	TYPE(value, struct rule);
} blocked6 SEC(".maps");

SEC("xdp")
int block(struct xdp *context)
{
	void *start = START(context), *end = END(context);
	struct eth *eth = start;
	struct rule *rule;

	if (!WHOLE(eth, end))
		return XDP_DROP;
	if (eth->type == BE16(ETH_IP)) {
		struct ip *ip = (void *)(eth + 1);
		struct key4 key = { .length = 32 };

		if (!WHOLE(ip, end))
			return XDP_DROP;
		key.address = ip->from;
		rule = map_lookup(&blocked4, &key);
	} else if (eth->type == BE16(ETH_IP6)) {
		struct ip6 *ip = (void *)(eth + 1);
		struct key6 key = { .length = 128 };

		if (!WHOLE(ip, end))
			return XDP_DROP;
		__builtin_memcpy(key.address, ip->from, sizeof(key.address));
		rule = map_lookup(&blocked6, &key);
	} else {
		return XDP_PASS;
	}
	if (!rule)
		return XDP_PASS;
	__sync_fetch_and_add(&rule->packets, 1);
	__sync_fetch_and_add(&rule->bytes, end - start);
	return rule->action;
}

LICENSE("GPL");
