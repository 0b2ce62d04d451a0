/* Takes packets apart: VLAN tags, IPv4 and IPv6, ports of TCP and UDP; drops what is on a list. */
#include "bpf.h"

struct vlan {
	u16 tci;
	u16 type;
};

struct flow {
	u8 protocol;
	u8 version : 4, tagged : 1;
	u16 port;
};

enum action { IGNORED, COUNTED, DROPPED };

struct seen {
	u32 packets;
	enum action last;
	union {
		u32 number;
		u8 bytes[4];
	} peer;
	char name[8];
};

struct {
	NUMBER(type, HASH);
	NUMBER(max_entries, 128);
	TYPE(key, struct flow);
	TYPE(value, struct seen);
} flows SEC(".maps");

static const u16 dropped[] = { BE16(23), BE16(1900) };

INLINE bool is_dropped(u16 port)
{
	for (u32 i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++)
		if (dropped[i] == port)
			return 1;
	return 0;
}

SEC("xdp")
int parse(struct xdp *context)
{
	void *at = START(context), *end = END(context);
	struct eth *eth = at;
	struct flow flow = {};
	struct seen *seen, fresh = { .name = "new" };
	u16 type;

	if (at + sizeof(*eth) > end)
		return XDP_ABORTED;
	type = eth->type;
	at += sizeof(*eth);
	if (type == BE16(0x8100)) {
		struct vlan *vlan = at;

		if (at + sizeof(*vlan) > end)
			return XDP_ABORTED;
		type = vlan->type;
		at += sizeof(*vlan);
		flow.tagged = 1;
	}
	if (type == BE16(0x0800)) {
		struct ip *ip = at;

		if (at + sizeof(*ip) > end)
			return XDP_PASS;
		flow.version = 4;
		flow.protocol = ip->protocol;
		fresh.peer.number = ip->from;
		at += (ip->version_and_length & 15) * 4;
	} else if (type == BE16(0x86dd)) {
		u8 *ip6 = at;

		if (at + 40 > end)
			return XDP_PASS;
		flow.version = 6;
		flow.protocol = ip6[6];
		at += 40;
	}
	if (flow.protocol == 6 || flow.protocol == 17) {
		u16 *ports = at;

		if (at + 4 > end)
			return XDP_PASS;
		flow.port = ports[1];
	}
	seen = map_lookup(&flows, &flow);
	if (!seen) {
		map_update(&flows, &flow, &fresh, 1);
		return XDP_PASS;
	}
	seen->packets++;
	seen->last = is_dropped(flow.port) ? DROPPED : COUNTED;
	return seen->last == DROPPED ? XDP_DROP : XDP_PASS;
}
