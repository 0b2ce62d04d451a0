/* Goes on in a program for each protocol, as far as there is one in the table, and says so when there is none. */
#include "net.h"

enum { FOR_IP, FOR_IP6, FOR_ARP, PROTOCOLS };

struct {
	NUMBER(type, PROG_ARRAY);
	NUMBER(max_entries, PROTOCOLS);
	TYPE(key, u32);
	TYPE(value, u32);
} parsers SEC(".maps");

struct {
	NUMBER(type, ARRAY);
	NUMBER(max_entries, PROTOCOLS + 1);
	TYPE(key, u32);
	TYPE(value, u64);
} seen SEC(".maps");

INLINE void saw(u32 protocol)
{
	u64 *count = map_lookup(&seen, &protocol);

	if (count)
		*count += 1;
}

SEC("xdp")
int dispatch(struct xdp *context)
{
	struct eth *eth = START(context);

	if (!WHOLE(eth, END(context)))
		return XDP_ABORTED;
	switch (eth->type) {
	case BE16(ETH_IP):
		tail_call(context, &parsers, FOR_IP);
		break;
	case BE16(ETH_IP6):
		tail_call(context, &parsers, FOR_IP6);
		break;
	case BE16(0x0806):
		tail_call(context, &parsers, FOR_ARP);
		break;
	}
	saw(PROTOCOLS);
	return XDP_PASS;
}

SEC("xdp")
int parse_ip(struct xdp *context)
{
	struct ip *ip = START(context) + sizeof(struct eth);

	saw(FOR_IP);
	if (!WHOLE(ip, END(context)))
		return XDP_DROP;
	return ip->version_and_length >> 4 == 4 ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int parse_ip6(struct xdp *context)
{
	struct ip6 *ip = START(context) + sizeof(struct eth);

	saw(FOR_IP6);
	if (!WHOLE(ip, END(context)))
		return XDP_DROP;
	return ip->version_and_class[0] >> 4 == 6 ? XDP_PASS : XDP_DROP;
}

LICENSE("GPL");
