/* Puts IPv4 packets into another IPv4 header on their way to a service: a host out of a few, by the flow. */
#include "net.h"

struct end {
	u32 from;
	u32 to;
	u8 mac[6];
	u16 pad;
};

struct {
	NUMBER(type, ARRAY);
	NUMBER(max_entries, 4);
	TYPE(key, u32);
	TYPE(value, struct end);
} hosts SEC(".maps");

INLINE u32 mixed(u32 number)
{
	number ^= number >> 16;
	number *= 0x7feb352d;
	number ^= number >> 15;
	return number;
}

SEC("xdp")
int encapsulate(struct xdp *context)
{
	void *end = END(context);
	struct eth *eth = START(context), header;
	struct ip *inner = (void *)(eth + 1), *outer;
	struct end *host;
	u32 which;
	u16 length;

	if (!WHOLE(inner, end) || eth->type != BE16(ETH_IP))
		return XDP_PASS;
	which = mixed(inner->from ^ inner->to ^ inner->protocol) & 3;
	host = map_lookup(&hosts, &which);
	if (!host || !host->to)
		return XDP_PASS;
	header = *eth;
	length = BE16(inner->length) + sizeof(*outer);
	if (adjust_head(context, -(int)sizeof(*outer)))
		return XDP_DROP;
	end = END(context);
	eth = START(context);
	outer = (void *)(eth + 1);
	if (!WHOLE(outer, end))
		return XDP_DROP;
	__builtin_memcpy(eth->to, host->mac, sizeof(eth->to));
	__builtin_memcpy(eth->from, header.to, sizeof(eth->from));
	eth->type = header.type;
	*outer = (struct ip){
		.version_and_length = 0x45,
		.length = BE16(length),
		.ttl = 64,
		.protocol = IPIP,
		.from = host->from,
		.to = host->to,
	};
	outer->checksum = fold(csum_diff(0, 0, outer, sizeof(*outer), 0));
	return XDP_TX;
}

LICENSE("GPL");
