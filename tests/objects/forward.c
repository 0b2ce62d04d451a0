/* Routes: the longest prefix of the destination says the port of a table of devices and the next hop's address. */
#include "net.h"

struct prefix {
	u32 length;
	u32 address;
};

struct hop {
	u32 port;
	u8 to[6];
	u8 from[6];
};

struct {
	NUMBER(type, LPM_TRIE);
	NUMBER(map_flags, NO_PREALLOC);
	NUMBER(max_entries, 256);
	TYPE(key, struct prefix);
	TYPE(value, struct hop);
} routes SEC(".maps");

struct {
	NUMBER(type, DEVMAP);
	NUMBER(max_entries, 16);
	TYPE(key, u32);
	TYPE(value, u32);
} ports SEC(".maps");

SEC("xdp")
int forward(struct xdp *context)
{
	void *end = END(context);
	struct eth *eth = START(context);
	struct ip *ip = (void *)(eth + 1);
	struct prefix prefix = { .length = 32 };
	struct hop *hop;
	u16 ttl;

	if (!WHOLE(ip, end) || eth->type != BE16(ETH_IP) || ip->ttl <= 1)
		return XDP_PASS;
	prefix.address = ip->to;
	hop = map_lookup(&routes, &prefix);
	if (!hop)
		return XDP_PASS;
	__builtin_memcpy(eth->to, hop->to, sizeof(eth->to));
	__builtin_memcpy(eth->from, hop->from, sizeof(eth->from));
	ttl = BE16(ip->ttl << 8 | ip->protocol);
	ip->ttl--;
	ip->checksum = changed(ip->checksum, ttl, BE16(ip->ttl << 8 | ip->protocol));
	/* Where there is no such port, the packet is dropped. */
	return redirect_map(&ports, hop->port, XDP_DROP);
}

LICENSE("GPL");
