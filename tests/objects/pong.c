/* Answers pings on the spot: swaps both pairs of addresses, makes the request a reply, mends its checksum, sends. */
#include "net.h"

struct icmp {
	u8 type;
	u8 code;
	u16 checksum;
};

enum { ECHO_REPLY = 0, ECHO = 8 };

SEC("xdp")
int pong(struct xdp *context)
{
	void *end = END(context);
	struct eth *eth = START(context);
	struct ip *ip = (void *)(eth + 1);
	struct icmp *icmp = (void *)(ip + 1);
	u8 mac[6];
	u32 address;

	if (!WHOLE(icmp, end) || eth->type != BE16(ETH_IP))
		return XDP_PASS;
	/* No options, no fragments. */
	if (ip->version_and_length != 0x45 || ip->fragment & BE16(0x3fff) || ip->protocol != ICMP)
		return XDP_PASS;
	if (icmp->type != ECHO || icmp->code)
		return XDP_PASS;
	__builtin_memcpy(mac, eth->to, sizeof(mac));
	__builtin_memcpy(eth->to, eth->from, sizeof(mac));
	__builtin_memcpy(eth->from, mac, sizeof(mac));
	address = ip->to;
	ip->to = ip->from;
	ip->from = address;
	ip->checksum = changed(ip->checksum, BE16(ip->ttl << 8), BE16(64 << 8));
	ip->ttl = 64;
	icmp->checksum = changed(icmp->checksum, BE16(ECHO << 8), BE16(ECHO_REPLY << 8));
	icmp->type = ECHO_REPLY;
	return XDP_TX;
}

LICENSE("GPL");
