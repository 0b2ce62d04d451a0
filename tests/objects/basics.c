/* The first programs that anybody writes: let all pass, drop all, drop what is not IP, drop a port of UDP. */
#include "net.h"

SEC("xdp")
int pass(struct xdp *context)
{
	return XDP_PASS;
}

SEC("xdp")
int drop(struct xdp *context)
{
	return XDP_DROP;
}

SEC("xdp")
int only_ip(struct xdp *context)
{
	struct eth *eth = START(context);

	if (!WHOLE(eth, END(context)))
		return XDP_DROP;
	switch (eth->type) {
	case BE16(ETH_IP):
	case BE16(ETH_IP6):
		return XDP_PASS;
	default:
		return XDP_DROP;
	}
}

SEC("xdp")
int no_dns(struct xdp *context)
{
	void *end = END(context);
	struct eth *eth = START(context);
	struct ip *ip = (void *)(eth + 1);
	struct ports *udp;

	if (!WHOLE(ip, end) || eth->type != BE16(ETH_IP) || ip->protocol != UDP)
		return XDP_PASS;
	udp = (void *)ip + (ip->version_and_length & 15) * 4;
	if (!WHOLE(udp, end))
		return XDP_PASS;
	return udp->to == BE16(53) ? XDP_DROP : XDP_PASS;
}

LICENSE("GPL");
