/* Counts packets and bytes by protocol and port, on each CPU by itself, and packets of other protocols. */
#include "net.h"

struct service {
	u16 port;
	u8 protocol;
	u8 pad;
};

struct traffic {
	u64 packets;
	u64 bytes;
};

struct {
	NUMBER(type, PERCPU_HASH);
	NUMBER(max_entries, 512);
	TYPE(key, struct service);
	TYPE(value, struct traffic);
} services SEC(".maps");

struct {
	NUMBER(type, PERCPU_ARRAY);
	NUMBER(max_entries, 256);
	TYPE(key, u32);
	TYPE(value, u64);
} others SEC(".maps");

SEC("xdp")
int count(struct xdp *context)
{
	void *start = START(context), *end = END(context);
	struct eth *eth = start;
	struct ip *ip = (void *)(eth + 1);
	struct ports *ports;
	struct service service = {};
	struct traffic *traffic, first = { 1, end - start };
	u64 *other;
	u32 protocol = 255;

	if (!WHOLE(ip, end) || eth->type != BE16(ETH_IP))
		goto other;
	protocol = ip->protocol;
	if (protocol != TCP && protocol != UDP)
		goto other;
	ports = (void *)ip + (ip->version_and_length & 15) * 4;
	if (!WHOLE(ports, end))
		goto other;
	service.protocol = protocol;
	service.port = ports->from < ports->to ? ports->from : ports->to;
	traffic = map_lookup(&services, &service);
	if (traffic) {
		traffic->packets++;
		traffic->bytes += end - start;
	} else {
		map_update(&services, &service, &first, 1);
	}
	return XDP_PASS;
other:
	other = map_lookup(&others, &protocol);
	if (other)
		*other += 1;
	return XDP_PASS;
}

LICENSE("GPL");
